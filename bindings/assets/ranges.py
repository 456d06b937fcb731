"""The header Range: the one part of a file that a request asks for. Source: RFC 9110 section 14."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.ASCII)


class Unsatisfiable(ValueError):
    """The range begins after the end of the file."""


def part_of(header: str | None, size: int) -> tuple[int, int] | None:
    """Return start and end (exclusive) of the part; None for all of it.

    All of it is also the answer to several ranges, and to a header that cannot be read. Raises
    Unsatisfiable.
    """
    found = _ONE.fullmatch(header) if header else None
    if found is None or (not found[1] and not found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        if not length:
            raise Unsatisfiable
        return size - length, size
    start = int(found[1])
    end = min(int(found[2]), size - 1) if found[2] else size - 1
    if found[2] and int(found[2]) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, end + 1
