"""How many rows a statement touches, estimated from the program that SQLite made of it. Pure.

workerd's build of SQLite counts rows as it runs. Python's does not, and says nothing about a
running program. But the program shows which tables it reads from end to end, in which it looks up
rows, whether it sorts, and how many indexes each change writes to.
Source: https://github.com/cloudflare/workerd/blob/main/patches/sqlite/0001-row-counts-plain.patch;
https://www.sqlite.org/opcode.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

_FULL_SCAN = 1  # P5 of Next and Prev in a loop without an index (SQLITE_STMTSTATUS_FULLSCAN_STEP)
_OPENS = ("OpenRead", "OpenWrite", "ReopenIdx")
_LOOKS = ("SeekRowid", "NotExists", "SeekGE", "SeekGT", "SeekLE", "SeekLT", "VNext")


class Op(NamedTuple):
    """One instruction of a program: the first columns of EXPLAIN. `p2` is often a jump target."""

    address: int
    name: str
    p1: int
    p2: int
    p5: int


class Scan(Struct, frozen=True):
    """A read of all rows of the last of `tables`, once for every row of the tables before it.

    It ends when `limit` rows were returned, or the number of rows in parameter
    `limit_parameter` (counted from 1).
    """

    tables: tuple[str, ...]
    limit: int | None = None
    limit_parameter: int | None = None


class Footprint(Struct, frozen=True):
    """What a statement touches, for any parameters."""

    scans: tuple[Scan, ...] = ()
    looks_up: bool = False
    sorts: bool = False
    writes_per_change: int = 1
    writes_virtual: bool = False  # to a virtual table such as FTS5's, which writes to inner tables


def footprint(program: Iterable[Op], table_of_page: Mapping[int, str]) -> Footprint:
    """Return the footprint of `program`, which names tables and indexes by their root page.

    `SELECT * FROM t` has one loop over `t`: `Footprint(scans=(Scan(("t",)),))`.
    """
    ops = _main_program(program)
    tables = {
        op.p1: table_of_page[op.p2] for op in ops if op.name in _OPENS and op.p2 in table_of_page
    }
    written = {op.p1 for op in ops if op.name == "OpenWrite"}
    loops = [op for op in ops if op.name in ("Next", "Prev") and op.p1 in tables]
    full = [op for op in loops if op.p5 & _FULL_SCAN]
    counted = tuple(Scan((tables[op.p1],)) for op in ops if op.name == "Count" and op.p1 in tables)
    return Footprint(
        scans=tuple(_scan(loop, full, tables, ops) for loop in full) + counted,
        looks_up=len(full) < len(loops) or any(op.name in _LOOKS for op in ops),
        sorts=any(op.name in ("SorterSort", "Sort") for op in ops),
        writes_per_change=max(
            1, len({op.p1 for op in ops if op.name in ("Insert", "IdxInsert")} & written)
        ),
        writes_virtual=any(op.name == "VUpdate" for op in ops),
    )


def _main_program(program: Iterable[Op]) -> list[Op]:
    # The programs of triggers follow; each counts its addresses from 0 again.
    ops: list[Op] = []
    for op in program:
        if op.address != len(ops):
            break
        ops.append(op)
    return ops


def _scan(loop: Op, full: list[Op], tables: Mapping[int, str], ops: list[Op]) -> Scan:
    around = [outer for outer in full if outer.p2 <= loop.p2 and loop.address < outer.address]
    names = tuple(tables[op.p1] for op in [*around, loop])
    body = ops[loop.p2 : loop.address]
    # min() and max() end after the first row, by a jump without a condition.
    if any(op.name == "Goto" and op.p2 > loop.address for op in body):
        return Scan(names, limit=1)
    for counter in (op.p1 for op in body if op.name == "DecrJumpZero"):
        for op in ops:
            if op.p2 == counter and op.name == "Integer":
                return Scan(names, limit=op.p1)
            if op.p2 == counter and op.name == "Variable":
                return Scan(names, limit_parameter=op.p1)
    return Scan(names)


def rows_read(
    touched: Footprint, size_of: Callable[[str], int], found: int, values: Sequence[object] = ()
) -> int:
    """Return the estimate for a statement with these parameters that found `found` rows.

    `size_of(table)` returns how many rows a table has. A read that ended early counts only the
    rows found; nobody knows how many others it read.
    """
    total = 0
    for scan in touched.scans:
        if _ended_early(scan, found, values):
            total += max(found, 1)
            continue
        rows = 1
        for table in scan.tables:
            rows *= size_of(table)
        total += rows
    if touched.looks_up:
        total += max(found, 1)
    return total + (found if touched.sorts else 0)


def _ended_early(scan: Scan, found: int, values: Sequence[object]) -> bool:
    limit: object = scan.limit
    if scan.limit_parameter is not None and scan.limit_parameter <= len(values):
        limit = values[scan.limit_parameter - 1]
    return isinstance(limit, int | float) and 0 <= limit <= found


def rows_written(touched: Footprint, changes: int, direct: int) -> int:
    """Return the estimate for a statement with `changes`, `direct` of them not made by triggers.

    `direct` is -1 when it is not known.
    """
    if touched.writes_virtual and direct >= 0:
        return direct
    return changes * touched.writes_per_change
