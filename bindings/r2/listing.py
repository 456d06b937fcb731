"""Lists of objects: prefixes, delimiters, cursors. Source: docs/platform/r2.md, "Lists"."""

from __future__ import annotations

import base64
import binascii
import sqlite3
from collections.abc import Mapping
from typing import Any

from bindings.r2 import errors, index

LIST_MAX = 1_000
_BATCH = 500


def list_objects(connection: sqlite3.Connection, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"objects", "truncated", "cursor"?, "delimitedPrefixes"}`. Raises R2Error."""
    limit = LIST_MAX if request.get("limit") is None else int(request["limit"])
    if not 1 <= limit <= LIST_MAX:
        raise errors.invalid_max_keys()
    prefix = str(request.get("prefix") or "").encode()
    delimiter = str(request.get("delimiter") or "").encode()
    start = max(prefix, _start(request))
    end = end_of(prefix)
    include = [int(each) for each in request.get("include") or ()]
    objects: list[dict[str, Any]] = []
    prefixes: list[str] = []
    while len(objects) + len(prefixes) < limit:
        rows = index.following(connection, start, end, min(_BATCH, limit + 1))
        for key, found in rows:
            if len(objects) + len(prefixes) >= limit:
                break
            if key < start:  # below a prefix that is listed already
                continue
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                group = key[: cut + len(delimiter)]
                prefixes.append(group.decode())
                start = end_of(group) or key + b"\x00"
            else:
                objects.append(_shown(found, include))
                start = key + b"\x00"
        if len(rows) < min(_BATCH, limit + 1):
            break
    more = bool(index.following(connection, start, end, 1))
    answer: dict[str, Any] = {
        "objects": objects,
        "truncated": more,
        "delimitedPrefixes": prefixes,
    }
    if more:
        answer["cursor"] = base64.urlsafe_b64encode(start).decode()
    return answer


def end_of(prefix: bytes) -> bytes | None:
    """Return the first key after all that begin with `prefix`; None when there is no such key."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None


def _start(request: Mapping[str, Any]) -> bytes:
    cursor = request.get("cursor")
    after = b""
    if request.get("startAfter"):
        after = str(request["startAfter"]).encode() + b"\x00"
    if not cursor:
        return after
    try:
        return max(after, base64.urlsafe_b64decode(str(cursor)))
    except (binascii.Error, ValueError):
        raise errors.invalid_argument("The cursor is not valid.") from None


def _shown(found: index.Object, include: list[int]) -> dict[str, Any]:
    whole = index.shown(found)
    if 0 not in include:
        whole["httpFields"] = {}
    if 1 not in include:
        whole["customFields"] = []
    return whole
