"""How to read text that is not UTF-8, such as `CAST(x'ff' AS TEXT)`. Pure.

apsw returns text only as str. So a statement that returns such text runs in another form, which
returns the bytes of every text, and says which cells are text.
"""

from __future__ import annotations

from typing import Any

from bindings.sql.splitter import QUERY_KEYWORDS, Statement, tokens


def as_bytes(statement: Statement, columns: list[str]) -> str | None:
    """Return SQL that does the same as `statement`, which returns `columns`, with other rows.

    After the cells of a row come as many flags: whether each cell is text. None: no SQL can do it.
    """
    if statement.keyword in QUERY_KEYWORDS:
        return query_as_bytes(statement.text, len(columns))
    return _returning_as_bytes(statement.text, columns)


def query_as_bytes(sql: str, columns: int) -> str:
    """Return a query whose rows are those of the query `sql`, as `as_bytes` says."""
    names = [f"c{number}" for number in range(columns)]
    cells = [_cell(name) for name in names] + [_is_text(name) for name in names]
    inside = sql.rstrip(" \t\n\f\r;")
    return f"WITH found({', '.join(names)}) AS (\n{inside}\n) SELECT {', '.join(cells)} FROM found"


def decoded(row: tuple[Any, ...], errors: str) -> tuple[Any, ...]:
    """Return the decoded row of such SQL; `errors` as in bytes.decode()."""
    half = len(row) // 2
    return tuple(
        cell.decode("utf-8", errors) if is_text else cell
        for cell, is_text in zip(row[:half], row[half:], strict=True)
    )


def _cell(name: str) -> str:
    return f"iif(typeof({name}) = 'text', CAST({name} AS BLOB), {name})"


def _is_text(name: str) -> str:
    return f"typeof({name}) = 'text'"


def _returning_as_bytes(sql: str, columns: list[str]) -> str | None:
    # "INSERT … RETURNING a AS b, *": each of these can be selected by a SELECT of its own.
    parts: list[str] = []
    start = depth = 0
    begin = len(sql)
    for token in tokens(sql):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.kind == "word" and token.text.upper() == "RETURNING":
            begin, start, parts = token.start, token.start + len(token.text), []
        elif depth == 0 and start and token.text in (",", ";"):
            parts.append(sql[start : token.start].strip())
            start = token.start + 1
    parts.append(sql[start:].strip())
    parts = [part for part in parts if part]
    missing = len(columns) - len(parts) + 1
    if "*" in parts:
        place = parts.index("*")
        found = columns[place : place + missing]
        parts[place : place + 1] = ['"' + name.replace('"', '""') + '"' for name in found]
    if len(parts) != len(columns) or begin == len(sql):
        return None
    cells = [
        f"(WITH found(c) AS (SELECT {part}\n) SELECT {wanted} FROM found)"
        for wanted in (_cell("c"), _is_text("c"))
        for part in parts
    ]
    return f"{sql[:begin]}RETURNING {', '.join(cells)}"
