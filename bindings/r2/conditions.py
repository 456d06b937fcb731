"""Whether the conditions of a request hold for an object, and which part of it is asked for.

Source: docs/platform/r2.md, "Conditions" and "Ranges".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bindings.r2.errors import invalid_argument, invalid_range

_HEADER = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.ASCII)


def holds(condition: Mapping[str, Any], etag: str | None, uploaded_ms: int) -> bool:
    """Whether `onlyIf` holds for an object; its ETag is None when there is no object."""
    matches, differs = condition.get("etagMatches"), condition.get("etagDoesNotMatch")
    before, after = condition.get("uploadedBefore"), condition.get("uploadedAfter")
    if etag is None:
        return not matches and after is None
    if condition.get("secondsGranularity"):
        uploaded_ms -= uploaded_ms % 1000
    is_match = not matches or _includes(matches, etag, weak=False)
    is_other = not differs or not _includes(differs, etag, weak=True)
    is_after = after is None or int(after) < uploaded_ms or bool(differs and is_other)
    is_before = before is None or uploaded_ms < int(before) or bool(matches and is_match)
    return is_match and is_other and is_after and is_before


def _includes(etags: Sequence[Mapping[str, Any]], etag: str, *, weak: bool) -> bool:
    for each in etags:
        if each.get("type") == "wildcard":
            return True
        if each.get("value") == etag and (weak or each.get("type") == "strong"):
            return True
    return False


def part_of(request: Mapping[str, Any], size: int) -> tuple[int, int]:
    """Return offset and length of what a `get` asks for. Raises R2Error."""
    header = request.get("rangeHeader")
    if header is not None:
        return _by_header(str(header), size)
    given = request.get("range")
    if not given:
        return 0, size
    numbers = {name: int(value) for name, value in given.items() if value is not None}
    if "suffix" in numbers:
        if "offset" in numbers or "length" in numbers:
            raise invalid_argument("Suffix is incompatible with offset or length.")
        if numbers["suffix"] <= 0:
            raise invalid_range()
        length = min(numbers["suffix"], size)
        return size - length, length
    offset = numbers.get("offset", 0)
    if offset < 0 or (offset >= size and size > 0) or (size == 0 and offset > 0):
        raise invalid_range()
    length = numbers.get("length", size - offset)
    if length < 0 or (length == 0 and "length" in numbers):
        raise invalid_range()
    return offset, min(length, size - offset)


def _by_header(header: str, size: int) -> tuple[int, int]:
    """Return the part of a Range header; several, or one that cannot be read, are the whole."""
    found = _HEADER.fullmatch(header)
    if found is None or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        length = min(int(found[2]), size)
        return size - length, length
    start, end = int(found[1]), int(found[2]) if found[2] else size - 1
    if end < start or start >= size:
        return 0, size
    return start, min(end, size - 1) - start + 1
