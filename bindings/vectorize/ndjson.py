"""Vectors as lines of JSON, one object per line; empty lines are ignored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from bindings.vectorize.errors import UNREADABLE_VECTORS, Refused

LINE_MAX_CHARS = 1_000_000  # a vector of 1,536 numbers with 10 KB of metadata has about 50,000


def read_lines(lines: Iterable[str], name: str = "") -> Iterator[Any]:
    """Yield the value of each line. Raises Refused with `name` and the number of the line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) > LINE_MAX_CHARS:
            problem = f"it has more than {LINE_MAX_CHARS:,} characters"
            raise Refused(UNREADABLE_VECTORS, f"{_where(name, number)}: {problem}")
        try:
            yield json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            where = _where(name, number)
            problem = str(error)
            if isinstance(error, json.JSONDecodeError):  # its line number counts inside this line
                problem = f"{error.msg} at character {error.pos + 1}"
            raise Refused(UNREADABLE_VECTORS, f"{where}: not a line of JSON: {problem}") from None


def _where(name: str, number: int) -> str:
    return f"{name}:{number}" if name else f"line {number}"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
