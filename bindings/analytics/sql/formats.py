"""The rows of a query as text. Source: docs/platform/analytics-sql.md, "Formats"."""

from __future__ import annotations

import json
from typing import Any

from bindings.analytics.sql.functions import LONG, SIGNED
from bindings.analytics.sql.running import Result
from bindings.analytics.sql.tree import InvalidQuery

_QUOTED = (LONG, SIGNED)  # JavaScript's numbers cannot hold all of them
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def written(result: Result) -> tuple[str, str]:
    """Return a result in its format, and the media type. Raises InvalidQuery."""
    match result.format.lower():
        case "" | "json":
            return json.dumps(_document(result), indent=1), "application/json"
        case "jsoneachrow":
            lines = [json.dumps(row, separators=(",", ":")) + "\n" for row in named(result)]
            return "".join(lines), "application/x-ndjson"
        case "tabseparated":
            lines = ["\t".join(_plain(value) for value in row) + "\n" for row in result.rows]
            return "".join(lines), "text/tab-separated-values"
        case _:
            known = "JSON, JSONEachRow and TabSeparated"
            raise InvalidQuery(f"unknown FORMAT {result.format}; there are {known}")


def named(result: Result, *, quoted: bool = True) -> list[dict[str, Any]]:
    """Return the rows as objects. quoted: 64-bit whole numbers are text."""
    quotes = [quoted and type in _QUOTED for _, type in result.columns]
    names = [name for name, _ in result.columns]
    return [
        {
            name: str(value) if quote and value is not None else value
            for name, value, quote in zip(names, row, quotes, strict=True)
        }
        for row in result.rows
    ]


def _document(result: Result) -> dict[str, Any]:
    meta = [{"name": name, "type": type} for name, type in result.columns]
    count = len(result.rows)
    return {
        "meta": meta,
        "data": named(result),
        "rows": count,
        "rows_before_limit_at_least": count,
    }


def _plain(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, float):
        return f"{value:.17g}" if value % 1 else str(int(value))
    if isinstance(value, list):
        return (
            "["
            + ",".join(f"'{each}'" if isinstance(each, str) else str(each) for each in value)
            + "]"
        )
    return str(value).translate(_ESCAPED)
