"""SQL functions of D1 that the SQLite of this Python may be too old to have.

Only what is missing is added, so that a newer SQLite's own always wins. JSONB and timediff() are
not among them. Source: sqlite.org/lang_corefunc.html.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")


def add_missing_functions(connection: sqlite3.Connection) -> None:
    """Give `connection` concat, concat_ws, octet_length, string_agg and unhex if SQLite has none.

    Differs: such a string_agg is no window function.
    """
    version = sqlite3.sqlite_version_info
    if version < (3, 44):
        connection.create_function("concat", -1, _concat, deterministic=True)
        connection.create_function("concat_ws", -1, _concat_ws, deterministic=True)
        connection.create_aggregate("string_agg", 2, _StringAgg)  # type: ignore[arg-type]
    if version < (3, 43):
        connection.create_function("octet_length", 1, _octet_length, deterministic=True)
    if version < (3, 41):
        connection.create_function("unhex", 1, _unhex, deterministic=True)
        connection.create_function("unhex", 2, _unhex, deterministic=True)


def _concat(*values: Any) -> str:
    return "".join(_text(value) for value in values if value is not None)


def _concat_ws(separator: Any = None, *values: Any) -> str | None:
    if separator is None:
        return None
    return _text(separator).join(_text(value) for value in values if value is not None)


class _StringAgg:
    def __init__(self) -> None:
        self._parts: list[str] = []

    def step(self, value: Any, separator: Any) -> None:
        if value is not None:
            # The separator stands before its value; that of the first value is not used.
            self._parts += [_text(separator) if separator is not None else "", _text(value)]

    def finalize(self) -> str | None:
        return "".join(self._parts[1:]) if self._parts else None


def _octet_length(value: Any) -> int | None:
    if value is None:
        return None
    return len(value) if isinstance(value, bytes) else len(_text(value).encode())


def _unhex(value: Any, ignored: Any = "") -> bytes | None:
    if value is None or ignored is None:
        return None
    # Characters to be ignored may stand between two bytes, not inside one.
    pairs = re.sub(f"[{re.escape(str(ignored))}]", " ", _text(value)) if ignored else _text(value)
    parts = pairs.split(" ") if ignored else [pairs]
    return bytes.fromhex("".join(parts)) if all(map(_HEX.fullmatch, parts)) else None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):  # as SQLite writes it: 15 digits
        return f"{value:.15g}" if not value.is_integer() or abs(value) >= 1e15 else f"{value:.1f}"
    return str(value)
