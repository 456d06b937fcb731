"""An instance's progress on standard error: redrawn on a terminal, new lines elsewhere."""

from __future__ import annotations

import re
import sys
from types import TracebackType
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from emulator.answers.workflows import InstanceDetail
from emulator.cli.cells import columns, printable, wrap
from emulator.cli.ink import Colour, Ink
from emulator.cli.output import say, size_of
from emulator.cli.workflows.drawing.card import title
from emulator.cli.workflows.drawing.spans import parse_iso
from emulator.cli.workflows.drawing.steps import Row, error_text, rows_of
from emulator.cli.workflows.drawing.timeline import Page, draw

_PIPE_COLUMNS = 100
_LAST_LINES = 200  # of the last picture, which may be higher than the terminal
_NAME_COLUMNS = 24  # fixed, as lines are drawn one by one
_WORTH_A_LINE = ("◷", "‖")  # signs of steps that wait
_PAINT = re.compile("\x1b\\[[0-9;]*m")
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Progress(Protocol):
    """Shows an instance, each time with new details."""

    def __enter__(self) -> Progress: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def update(self, detail: InstanceDetail, now_ms: int) -> None: ...
    def note(self, text: str) -> None: ...


class LiveProgress:
    """The timeline, redrawn in place: the end of it, if the terminal is too small."""

    def __init__(self, workflow: str, instance: str) -> None:
        self._workflow = workflow
        self._instance = instance
        self._drawn = 0  # lines that the next picture replaces

    def __enter__(self) -> LiveProgress:
        sys.stderr.write(_HIDE_CURSOR)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sys.stderr.write(_SHOW_CURSOR)
        sys.stderr.flush()

    def update(self, detail: InstanceDetail, now_ms: int) -> None:
        """Draw the instance as it is now."""
        size = size_of(sys.stderr)
        # The last column stays free: some terminals wrap as soon as it is written.
        page = Page(size.columns - 1, Ink.on(sys.stderr), now_ms, False)
        lines = picture(self._workflow, self._instance, detail, page)
        room = size.lines - 2 if detail["end"] is None else max(size.lines - 2, _LAST_LINES)
        if len(lines) > room:
            note = f"  … {len(lines) - room + 1} lines before"
            lines = [lines[0], page.ink(Colour.DIM, note), *lines[len(lines) - room + 2 :]]
        back = f"\x1b[{self._drawn}A" if self._drawn else ""
        sys.stderr.write(f"{back}\r\x1b[J" + "".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
        self._drawn = sum(_height(line, size.columns) for line in lines)

    def note(self, text: str) -> None:
        """Print a text below the picture; the next picture replaces it."""
        say(text)
        self._drawn += _height(text, size_of(sys.stderr).columns)


def _height(line: str, width: int) -> int:
    """Return how many lines of the terminal a line needs: a long id may need two."""
    return max(-(-columns(_PAINT.sub("", line)) // width), 1)


class _Shown(Struct, frozen=True):
    """What was written of a row."""

    stand: str
    attempts: int


class PlainProgress:
    """A line for each step that ends or begins to wait, and for each change of status."""

    def __init__(self, workflow: str, instance: str) -> None:
        self._workflow = workflow
        self._instance = instance
        self._status = ""
        self._shown: dict[int, _Shown] = {}

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    def update(self, detail: InstanceDetail, now_ms: int) -> None:
        """Write what is new."""
        page = Page(
            width=_PIPE_COLUMNS,
            ink=Ink(False),
            now_ms=now_ms,
            with_output=False,
            with_bars=False,
            name_width=_NAME_COLUMNS,
        )
        rows = enumerate(rows_of(detail, page.now_ms, live=True))
        news = [row for index, told in rows for row in self._news(index, told)]
        lines = draw(news, _zero_ms(detail, page), page)
        if detail["status"] != self._status:
            self._status = detail["status"]
            lines += title(self._workflow, self._instance, detail, page)
            lines += _failure(detail, page)
        if lines:
            sys.stderr.write("".join(f"{line}\n" for line in lines))
            sys.stderr.flush()

    def note(self, text: str) -> None:
        """Print a text."""
        say(text)

    def _news(self, index: int, row: Row) -> list[Row]:
        """Return the news of a row: its end, its wait, and attempts that were not shown yet."""
        before = self._shown.get(index, _Shown("", 0))
        ended = [attempt for attempt in row.attempts if attempt.end_ms is not None]
        now = _Shown("ended" if row.end_ms is not None else row.sign, len(ended))
        if now == before or (row.end_ms is None and row.sign not in _WORTH_A_LINE):
            return []
        self._shown[index] = now
        return [replace(row, attempts=tuple(ended[before.attempts :]))]


def picture(workflow: str, instance: str, detail: InstanceDetail, page: Page) -> list[str]:
    """Return the lines of an instance in progress."""
    rows = rows_of(detail, page.now_ms, live=True)
    lines = draw(rows, _zero_ms(detail, page), page)
    return [*title(workflow, instance, detail, page), *lines, *_failure(detail, page)]


def _zero_ms(detail: InstanceDetail, page: Page) -> int:
    return parse_iso(detail["queued"]) if detail["queued"] else page.now_ms


def _failure(detail: InstanceDetail, page: Page) -> list[str]:
    return [
        page.ink(Colour.RED, part)
        for line in error_text(detail["error"]).splitlines()
        for part in wrap(printable(line), page.width)
    ]
