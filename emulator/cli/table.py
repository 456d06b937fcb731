"""Boxes of text for people: rows under their column names, as wrangler draws them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

CELL_MAX_COLUMNS = 80


def draw_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table with box-drawing lines; None is shown as "null", long cells are cut.

    ┌────┬───────┐
    │ id │ name  │
    ├────┼───────┤
    │ 1  │ Grace │
    └────┴───────┘
    """
    lines = [[_cell(name) for name in header], *([_cell(value) for value in row] for row in rows)]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(header))]

    def rule(left: str, middle: str, right: str) -> str:
        return left + middle.join("─" * (width + 2) for width in widths) + right

    def text(line: Sequence[str]) -> str:
        cells = (
            f" {cell}{' ' * (width - _width(cell))} "
            for cell, width in zip(line, widths, strict=True)
        )
        return "│" + "│".join(cells) + "│"

    drawn = [rule("┌", "┬", "┐"), text(lines[0])]
    for line in lines[1:]:
        drawn += [rule("├", "┼", "┤"), text(line)]
    return "\n".join([*drawn, rule("└", "┴", "┘")])


def _cell(value: object) -> str:
    text = "null" if value is None else str(value)
    # Control characters would draw outside the box, or drive the terminal.
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: CELL_MAX_COLUMNS + 1])
    return shown if len(shown) <= CELL_MAX_COLUMNS else shown[: CELL_MAX_COLUMNS - 1] + "…"


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)
