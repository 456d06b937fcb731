"""Vectors as lines of JSON, one object a line; empty lines do not count."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from bindings.vectorize.errors import UNREADABLE_VECTORS, Refused


def read_lines(lines: Iterable[str], name: str = "") -> Iterator[Any]:
    """Yield the value of each line. Raises Refused that names the line, `name` before it."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            where = f"{name}:{number}" if name else f"line {number}"
            problem = str(error)
            if isinstance(error, json.JSONDecodeError):  # its own line counts within this one
                problem = f"{error.msg} at character {error.pos + 1}"
            raise Refused(UNREADABLE_VECTORS, f"{where}: not a line of JSON: {problem}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
