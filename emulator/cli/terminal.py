"""The terminal's output while a server runs: levels, times, labels and colours.

Worker output goes to the stream it was written to, our own warnings and errors to standard error,
everything else to standard output. Worker output is printed as it is. Our own messages cannot
control the terminal.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeAlias

from bindings.network.network import Fetched
from emulator.cli.cells import printable, printable_lines
from emulator.cli.ink import Ink
from emulator.cli.levels import Level
from emulator.cli.names import InstanceName, shown_label
from emulator.cli.sink import Sink
from emulator.engine.model.divergence import Diverged
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.runner.requests import LoadError
from emulator.runner.runner import LOAD_CRASHED, LOAD_TIMED_OUT, OutputLine

if TYPE_CHECKING:
    from emulator.cli.json_log import JsonTerminal

TOGETHER_S = 0.3  # how long diverged instances are collected for one block
MORE_TOGETHER_S = 2.0  # the same, after the first block about this code
_RESET = "\x1b[0m"
_EMPTY = "\x1b[H\x1b[2J\x1b[3J"
_RED, _YELLOW, _GREEN, _CYAN, _DIM = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[36m", "\x1b[2m"

_FAILURES = frozenset(
    {EntryKind.ATTEMPT_FAILURE, EntryKind.STEP_FAILURE, EntryKind.WORKFLOW_FAILURE}
    | {EntryKind.ROLLBACK_ATTEMPT_FAILURE, EntryKind.ROLLBACK_STEP_FAILURE}
    | {EntryKind.ROLLBACK_FAILED}
)


class ConsoleTerminal:
    """Writes to this process's standard output and error. timed: each line begins with its time.

    worker: the name that lines show, where there are several. sink: of the terminal that is closed.
    """

    def __init__(
        self,
        level: Level,
        directory: Path,
        *,
        timed: bool = True,
        worker: str = "",
        sink: Sink | None = None,
    ) -> None:
        self._level = level
        self._directory = directory
        self._timed = timed
        self._times: dict[TextIO, str] = {}  # of the lines of this millisecond
        self._told_ms = 0
        self._second = 0, ""  # and its text
        self._sink = sink or Sink()
        self._worker = f"[{printable(worker)}] " if worker else ""
        self._shares_sink: list[ConsoleTerminal] = []
        is_coloured = self._sink.coloured[sys.stdout]
        self._workflow = f"{_CYAN if is_coloured else ''}workflow "
        self._plain = _RESET if is_coloured else ""
        self._diverged: list[Diverged] = []
        self._telling: asyncio.TimerHandle | None = None
        self._told: set[object] = set()  # groups whose block was shown for this code

    def of(self, worker: str) -> ConsoleTerminal:
        """Return a terminal whose lines name a worker. It is closed with this one."""
        named = ConsoleTerminal(
            self._level, self._directory, timed=self._timed, worker=worker, sink=self._sink
        )
        self._shares_sink.append(named)
        return named

    # --- our own messages

    def introduce(self, text: str) -> None:
        """What the server is and where it listens, without a time."""
        if self._level >= Level.INFO:
            self._sink.write(sys.stdout, printable_lines(text))

    def notice(self, text: str) -> None:
        """Something worth knowing."""
        self._write(Level.INFO, sys.stdout, printable_lines(text))

    def progress(
        self, of: InstanceName, text: str, entry: Entry, took_ms: int | None = None
    ) -> None:
        """A workflow made progress, `entry`: `text` says it, with the time it took."""
        if self._diverged and any(
            (told.workflow, told.id) == (of.workflow, of.id) for told in self._diverged
        ):
            self._tell_diverged()  # first, as it happened first
        if entry.kind in _FAILURES:
            text = self._paint(sys.stdout, _RED, printable(text))
        elif not text.isprintable():
            text = printable(text)
        self._write(Level.INFO, sys.stdout, f"{self._workflow}{of.shown}:{self._plain} {text}")

    def warning(self, text: str) -> None:
        """Something that the person should read to avoid a surprise."""
        self._say(Level.WARN, sys.stderr, _YELLOW, "warning: ", text)

    def error(self, text: str) -> None:
        """Something that does not work."""
        self._say(Level.ERROR, sys.stderr, _RED, "error: ", text)

    def reloaded(self, changed: frozenset[Path], duration_ms: float) -> None:
        """New code serves."""
        self._tell_diverged()  # of the code before
        self._told.clear()
        names = sorted(self._relative(path) for path in changed)
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        text = f"reloaded in {duration_ms:.0f} ms ({printable(shown)})"
        self._write(Level.INFO, sys.stdout, self._paint(sys.stdout, _GREEN, text))

    def load_failed(self, error: LoadError, still_serving: bool) -> None:
        """New code does not run: the user's own traceback, and what serves in the meantime."""
        if error.name in (LOAD_CRASHED, LOAD_TIMED_OUT):  # its output was shown already
            self.error(error.message)
        else:
            self._write(Level.ERROR, sys.stderr, printable_lines(error.traceback.rstrip()))
        after = (
            "The code that worked before still serves. Correct the code and save."
            if still_serving
            else "Every request gets this error. Correct the code and save."
        )
        self.error(f"the worker could not be loaded. {after}")

    def diverged(self, told: Diverged) -> None:
        """Code does not fit an instance. Several at about the same time share one block."""
        if not self._diverged:
            delay_s = MORE_TOGETHER_S if self._told else TOGETHER_S
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(delay_s, self._tell_diverged)
        self._diverged.append(told)

    def _tell_diverged(self) -> None:
        if not self._diverged:
            return
        from emulator.cli import divergences

        if self._telling is not None:
            self._telling.cancel()
        told, self._diverged = self._diverged, []
        for alike in divergences.grouped(told):
            group = divergences.group_of(alike[0])
            if group in self._told:
                self.warning(divergences.one_more_line(alike))
                continue
            self._told.add(group)
            text = divergences.block(alike, Ink(self._sink.coloured[sys.stderr]))
            self._write(Level.WARN, sys.stderr, f"\n{text}\n")

    def clear(self) -> None:
        """Empty the screen, and what can be scrolled back to."""
        self._sink.write(sys.stdout, _EMPTY)

    # --- output of others

    def output(self, line: OutputLine) -> None:
        """A line the worker wrote. What it writes to standard error may be a warning."""
        is_error = line.stream == "stderr"
        stream = sys.stderr if is_error else sys.stdout
        label = self._paint(stream, _RED if is_error else _DIM, f"{shown_label(line.label)} | ")
        self._write(Level.WARN if is_error else Level.LOG, stream, label + line.text)

    def request(
        self, method: str, path: str, status: int, duration_ms: float, *, own: bool = False
    ) -> None:
        """A request was answered. own: a command of Groundfog made it, and all went well."""
        level = Level.DEBUG if own else Level.INFO
        if level > self._level:
            return
        colour = _GREEN if status < 400 else _YELLOW if status < 500 else _RED
        shown = self._paint(sys.stdout, colour, str(status))
        text = f"{method} {printable(path)} {shown} ({duration_ms:.0f}ms)"
        self._write(level, sys.stdout, text)

    def fetched(self, fetched: Fetched) -> None:
        """The worker has sent a request elsewhere."""
        level = Level.WARN if fetched.problem else Level.INFO
        if level > self._level:
            return
        colour = _GREEN if 0 < fetched.status < 400 else _YELLOW
        shown = self._paint(sys.stdout, colour, str(fetched.status or "failed"))
        text = f"fetch {fetched.method} {printable(fetched.url)} {shown}"
        text += f" ({fetched.duration_ms:.0f}ms)"
        text += f": {printable(fetched.problem)}" if fetched.problem else ""
        self._write(level, sys.stdout, text)

    # --- writing

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self._directory)

    def _say(self, level: Level, stream: TextIO, colour: str, label: str, text: str) -> None:
        if level <= self._level:
            self._write(level, stream, self._paint(stream, colour, label) + printable_lines(text))

    def _paint(self, stream: TextIO, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._sink.coloured[stream] else text

    def _write(self, level: Level, stream: TextIO, text: str) -> None:
        if level <= self._level:
            text = f"{self._worker}{text}" if self._worker else text
            if self._timed:
                text = f"{self._time(stream)}{text}"
            self._sink.write(stream, text)

    def _time(self, stream: TextIO) -> str:
        """Return `"11:14:07.213 "`."""
        now_ms = time.time_ns() // 1_000_000
        if now_ms != self._told_ms:
            self._told_ms = now_ms
            self._times.clear()
        shown = self._times.get(stream)
        if shown is None:
            now_s = now_ms // 1000
            if now_s != self._second[0]:
                self._second = (
                    now_s,
                    time.strftime("%H:%M:%S", time.gmtime(now_s + self._sink.ahead_s)),
                )
            shown = self._paint(stream, _DIM, f"{self._second[1]}.{now_ms % 1000:03d} ")
            self._times[stream] = shown
        return shown

    def close(self) -> None:
        """Write everything collected, if somebody reads it; later lines are not written."""
        for each in (self, *self._shares_sink):
            each._tell_diverged()
        self._sink.close()


AnyTerminal: TypeAlias = "ConsoleTerminal | JsonTerminal"


class LogLines(logging.Handler):
    """Shows the log of libraries and of our own defects as errors on the terminal.

    Python's own handler would write to standard error on the event loop's thread.
    """

    def __init__(self, terminal: AnyTerminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        self._terminal.error(self.format(record))
