"""Draws an instance's rows as a timeline: offsets, durations, signs, names, bars, states. Pure.

Everything fits into the given width. If it is small, bars are left out first, then places in the
code, and the state of a step gets a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from emulator.cli.cells import columns, pad, printable, shorten, wrap
from emulator.cli.ink import Colour, Ink
from emulator.cli.output import spaced_json
from emulator.cli.workflows.drawing.spans import span
from emulator.cli.workflows.drawing.steps import Attempt, Phase, Row
from emulator.json_types import Json
from emulator.words import counted

_OFFSET, _TOOK = 9, 7
_LEFT = _OFFSET + 2 + _TOOK + 2  # columns before the sign
_NAME_MIN = 12
_BAR_MIN, _BAR_MAX = 12, 32
_STATE_ROOM = 38  # columns that a bar leaves for the text behind it
_VALUE_MIN = 10  # columns of a value, or of a text below a row
_ATTEMPTS_SHOWN = 8
_TRUNCATED = "[...output truncated]"

_CELLS = {
    Phase.WAIT: ("┄", Colour.DIM),
    Phase.WORK: ("━", Colour.GREEN),
    Phase.FAILED: ("━", Colour.RED),
}


class Page(Struct, frozen=True):
    """Where and how to draw. With `output_limit` None, a value gets one line.

    name_width: of the column of names; None makes it as wide as the names.
    """

    width: int
    ink: Ink
    now_ms: int
    with_output: bool = True
    output_limit: int | None = None
    with_bars: bool = True
    name_width: int | None = None


class _Layout(Struct, frozen=True):
    page: Page
    zero_ms: int
    end_ms: int
    name_width: int
    bar_width: int  # 0: none

    @property
    def indent(self) -> int:
        return _LEFT + 2

    @property
    def behind(self) -> int:
        """The first column behind name and bar."""
        bar = self.bar_width + 2 if self.bar_width else 0
        return self.indent + self.name_width + 2 + bar


def draw(rows: Sequence[Row], zero_ms: int, page: Page) -> list[str]:
    """Return the lines of a timeline whose offsets count from `zero_ms`."""
    if not rows:
        return []
    layout = _lay_out(rows, zero_ms, page)
    return [line for row in rows for line in _draw_row(row, layout)]


def _lay_out(rows: Sequence[Row], zero_ms: int, page: Page) -> _Layout:
    longest = max(columns(printable(row.name)) for row in rows)
    name_width = page.name_width or min(longest, max(page.width // 4, _NAME_MIN))
    end_ms = max(page.now_ms if row.end_ms is None else row.end_ms for row in rows)
    left = page.width - (_LEFT + 2 + name_width + 2) - 2 - _STATE_ROOM
    bar_width = 0
    if page.with_bars and left >= _BAR_MIN and len(rows) > 1:
        bar_width = min(left, _BAR_MAX)
    elif page.name_width is None:  # names get the room that no bar needs
        name_width = min(longest, max(page.width // 3, _NAME_MIN))
    return _Layout(page, zero_ms, max(end_ms, zero_ms + 1), name_width, bar_width)


def _draw_row(row: Row, layout: _Layout) -> Iterator[str]:
    ink, width = layout.page.ink, layout.page.width
    sign = ink(row.colour, row.sign)
    name = pad(printable(row.name), layout.name_width)
    text = f"{_when(row.start_ms, row.end_ms, layout)}  {sign} {name}"
    if layout.bar_width:
        text += f"  {_bar(row, layout)}"
    state = printable(row.state)
    room = width - layout.behind
    fits = columns(state) <= room
    tail = state if fits else ""
    shown = ink(row.colour if row.end_ms is None else Colour.DIM, tail)
    line = printable(row.line)
    if line and columns(tail) + 2 * bool(tail) + columns(line) <= room:
        shown += ("  " if tail else "") + ink(Colour.DIM, line)
    yield f"{text}  {shown}".rstrip()
    if not fits:
        yield from _below(state, row.colour, layout)
    yield from _draw_attempts(row.attempts, layout)
    if row.error:
        yield from _below(row.error, Colour.RED, layout)
    if row.has_output and layout.page.with_output:
        yield from _draw_output(row.output, layout)


def _draw_attempts(attempts: Sequence[Attempt], layout: _Layout) -> Iterator[str]:
    hidden = len(attempts) - _ATTEMPTS_SHOWN
    for index, attempt in enumerate(attempts):
        if hidden > 0 and 2 <= index < 2 + hidden:
            if index == 2:
                yield from _below(f"  … {counted(hidden, 'more attempt')} …", Colour.DIM, layout)
            continue
        sign = layout.page.ink(attempt.colour, attempt.sign)
        head = f"{_when(attempt.start_ms, attempt.end_ms, layout)}    {sign} {attempt.number}"
        indent = layout.indent + 2 + len(str(attempt.number)) + 2
        texts = _wrapped(attempt.text, layout.page.width - indent)
        yield f"{head}  {texts[0]}".rstrip()
        for text in texts[1:]:
            yield " " * indent + text
        if attempt.raised and (index == 0 or attempt.raised != attempts[index - 1].raised):
            for text in _wrapped(attempt.raised, layout.page.width - indent):
                yield " " * indent + layout.page.ink(Colour.DIM, text)


def _draw_output(output: Json, layout: _Layout) -> Iterator[str]:
    room = layout.page.width - layout.indent - 2
    for index, text in enumerate(value_lines(output, room, layout.page.output_limit)):
        arrow = "→ " if index == 0 else "  "
        yield " " * layout.indent + layout.page.ink(Colour.DIM, arrow + text)


def value_lines(value: Json, width: int, limit: int | None) -> list[str]:
    """Return a value as JSON in lines of `width` columns.

    limit: characters to show; None shows one line, and says how many characters there are.
    """
    text = printable(spaced_json(value))
    if limit is not None:
        return wrap(
            text if len(text) <= limit else text[:limit] + _TRUNCATED, max(width, _VALUE_MIN)
        )
    if columns(text) <= width:
        return [text]
    told = f" ({len(text):,} characters)"
    if width < len(told) + _VALUE_MIN:
        return [shorten(text, max(width, _VALUE_MIN))]
    return [shorten(text, width - len(told)) + told]


def _below(text: str, colour: Colour, layout: _Layout) -> Iterator[str]:
    for line in _wrapped(text, layout.page.width - layout.indent):
        yield " " * layout.indent + layout.page.ink(colour, line)


def _wrapped(text: str, width: int) -> list[str]:
    lines = text.splitlines() or [""]
    return [part for line in lines for part in wrap(printable(line), max(width, _VALUE_MIN))]


def _when(start_ms: int, end_ms: int | None, layout: _Layout) -> str:
    offset = f"+{span(start_ms - layout.zero_ms)}"
    took = span((layout.page.now_ms if end_ms is None else end_ms) - start_ms)
    text = f"{offset:>{_OFFSET}}  {took:>{_TOOK}}"
    return layout.page.ink(Colour.DIM, text)


def _bar(row: Row, layout: _Layout) -> str:
    """Return a bar for the row's time, on the scale of the whole instance."""
    cells = [(" ", Colour.PLAIN)] * layout.bar_width
    total_ms = layout.end_ms - layout.zero_ms
    for stretch in row.stretches:
        first = _cell(stretch.start_ms - layout.zero_ms, total_ms, layout.bar_width)
        last = _cell(stretch.end_ms - layout.zero_ms, total_ms, layout.bar_width)
        for index in range(first, max(last, first) + 1):
            cells[index] = _CELLS[stretch.phase]
    drawn, begun = "", 0
    for index in range(1, len(cells) + 1):
        if index == len(cells) or cells[index] != cells[begun]:
            text, colour = cells[begun]
            drawn += layout.page.ink(colour, text * (index - begun))
            begun = index
    return drawn


def _cell(at_ms: int, total_ms: int, width: int) -> int:
    return min(max(at_ms * width // total_ms, 0), width - 1)
