"""Boxes of text for people: rows under their column names, as wrangler draws them."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.cli.cells import columns, printable

CELL_MAX_COLUMNS = 80


def draw_table(
    header: Sequence[str], rows: Sequence[Sequence[object]], cell_max: int = CELL_MAX_COLUMNS
) -> str:
    """Return a table with box-drawing lines; None is shown as "null", long cells are cut.

    ┌────┬───────┐
    │ id │ name  │
    ├────┼───────┤
    │ 1  │ Grace │
    └────┴───────┘
    """
    lines = [[_cell(value, cell_max) for value in row] for row in (header, *rows)]
    widths = [max(columns(line[column]) for line in lines) for column in range(len(header))]

    def rule(left: str, middle: str, right: str) -> str:
        return left + middle.join("─" * (width + 2) for width in widths) + right

    def text(line: Sequence[str]) -> str:
        cells = (
            f" {cell}{' ' * (width - columns(cell))} "
            for cell, width in zip(line, widths, strict=True)
        )
        return "│" + "│".join(cells) + "│"

    drawn = [rule("┌", "┬", "┐"), text(lines[0])]
    for line in lines[1:]:
        drawn += [rule("├", "┼", "┤"), text(line)]
    return "\n".join([*drawn, rule("└", "┴", "┘")])


def _cell(value: object, cell_max: int) -> str:
    text = "null" if value is None else str(value)
    shown = printable(text[: cell_max + 1])
    return shown if len(shown) <= cell_max else shown[: cell_max - 1] + "…"
