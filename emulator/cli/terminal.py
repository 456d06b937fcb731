"""The terminal's output while a server runs: levels, labels and colours.

Lines are collected and passed to an `Outlet` once per turn of the event loop, so that a worker that
prints much costs one write and not thousands. Worker output goes to the stream it was written to,
our own warnings and errors to standard error, everything else to standard output. Worker output is
printed as it is. Our own messages cannot control the terminal.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from emulator.cli.cells import printable, printable_lines
from emulator.cli.ink import Ink
from emulator.cli.levels import Level
from emulator.cli.outlet import Outlet
from emulator.engine.model.divergence import Diverged
from emulator.runner.requests import LoadError
from emulator.runner.runner import LOAD_CRASHED, LOAD_TIMED_OUT, OutputLine

TOGETHER_S = 0.3  # how long diverged instances are collected for one block
MORE_TOGETHER_S = 2.0  # the same, after the first block about this code
_RESET = "\x1b[0m"
_RED, _YELLOW, _GREEN, _CYAN, _DIM = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[36m", "\x1b[2m"


class ConsoleTerminal:
    """Writes to this process's standard output and error."""

    def __init__(self, level: Level, directory: Path) -> None:
        self._level = level
        self._directory = directory
        self._pending: dict[TextIO, list[str]] = {sys.stdout: [], sys.stderr: []}
        self._outlets = _outlets(self._pending)
        self._scheduled = False
        self._diverged: list[Diverged] = []
        self._telling: asyncio.TimerHandle | None = None
        self._told: set[object] = set()  # groups whose block was shown for this code
        self._colours = {
            stream: stream.isatty() and "NO_COLOR" not in os.environ for stream in self._pending
        }

    # --- our own messages

    def notice(self, text: str) -> None:
        """Something worth knowing."""
        self._write(Level.INFO, sys.stdout, printable_lines(text))

    def progress(self, text: str) -> None:
        """A workflow made progress. `text` begins with its name, the instance's id and a colon."""
        if self._diverged and any(
            text.startswith(f"{told.workflow} {told.id}: ") for told in self._diverged
        ):
            self._tell_diverged()  # first, as it happened first
        self._say(Level.INFO, sys.stdout, _CYAN, "workflow ", text)

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
            text = divergences.block(alike, Ink(self._colours[sys.stderr]))
            self._write(Level.WARN, sys.stderr, f"\n{text}\n")

    # --- output of others

    def output(self, line: OutputLine) -> None:
        """A line the worker wrote."""
        stream = sys.stderr if line.stream == "stderr" else sys.stdout
        label = self._paint(stream, _DIM, "worker | ")
        self._write(Level.LOG, stream, label + line.text)

    def request(self, method: str, path: str, status: int, duration_ms: float) -> None:
        """A request was answered."""
        if self._level < Level.INFO:
            return
        colour = _GREEN if status < 400 else _YELLOW if status < 500 else _RED
        shown = self._paint(sys.stdout, colour, str(status))
        self._write(
            Level.INFO, sys.stdout, f"{method} {printable(path)} {shown} ({duration_ms:.0f}ms)"
        )

    # --- writing

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self._directory)

    def _say(self, level: Level, stream: TextIO, colour: str, label: str, text: str) -> None:
        if level <= self._level:
            shown = f"{colour}{label}{_RESET}" if self._colours[stream] else label
            self._write(level, stream, shown + printable_lines(text))

    def _paint(self, stream: TextIO, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours[stream] else text

    def _write(self, level: Level, stream: TextIO, text: str) -> None:
        if level > self._level:
            return
        self._pending[stream].append(text)
        if self._scheduled:
            return
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:  # no event loop: before the server runs, or after
            self.flush()
        else:
            self._scheduled = True

    def flush(self) -> None:
        """Write everything collected so far."""
        if not self._scheduled:
            self._tell_diverged()
        self._scheduled = False
        for stream, lines in self._pending.items():
            if lines:
                self._outlets[stream].write(stream, lines)
                lines.clear()

    def close(self) -> None:
        """Write everything collected, if somebody reads it; later lines are not written."""
        self.flush()
        for outlet in set(self._outlets.values()):
            outlet.close()


class LogLines(logging.Handler):
    """Shows the log of libraries and of our own defects as errors on the terminal.

    Python's own handler would write to standard error on the event loop's thread.
    """

    def __init__(self, terminal: ConsoleTerminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        self._terminal.error(self.format(record))


def _outlets(streams: Iterable[TextIO]) -> dict[TextIO, Outlet]:
    """Return an outlet for each stream; streams of the same file share one."""
    files = {stream: os.fstat(stream.fileno()) for stream in streams}
    outlets = {file: Outlet() for file in {(each.st_dev, each.st_ino) for each in files.values()}}
    return {stream: outlets[file.st_dev, file.st_ino] for stream, file in files.items()}
