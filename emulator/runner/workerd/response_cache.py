"""What `caches` of a worker in workerd keeps: responses, in memory, for one generation.

workerd asks with GET for `match`, with PURGE for `delete`, and with PUT for `put`: the body is the
whole response as HTTP. The URL is the key, a header names the cache.
Source: https://developers.cloudflare.com/workers/runtime-apis/cache/;
https://github.com/cloudflare/workerd/blob/main/src/workerd/api/cache.c++.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from dataclasses import dataclass

from bindings.http import HttpAnswer, StreamedAnswer

KEPT_MAX_BYTES = 64 * 1024 * 1024  # of all caches together
UNSTATED_S = 7_200.0  # a response that does not say how long it may be kept
NAMESPACE = "cf-cache-namespace"
STATUS = "cf-cache-status"
_NOT_KEPT = re.compile(r"\b(no-store|no-cache|private)\b")
_FRAMING = frozenset({"transfer-encoding", "content-length", "connection", STATUS})


@dataclass(frozen=True, slots=True)
class Kept:
    """A response, and until when it may be used, on the monotonic clock."""

    status: int
    headers: dict[str, str]
    body: bytes
    until_s: float


class ResponseCache:
    """The caches of one generation."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._bytes = 0

    async def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> HttpAnswer | StreamedAnswer:
        """Answer one request of workerd's."""
        key = headers.get(NAMESPACE, ""), target
        match method:
            case "PUT":
                self._put(key, body)
                return HttpAnswer(204, {}, b"")
            case "PURGE":
                return HttpAnswer(200 if self._forget(key) else 404, {}, b"")
            case _:
                return self._match(key, headers)

    def _match(self, key: tuple[str, str], asked: dict[str, str]) -> HttpAnswer | StreamedAnswer:
        kept = self._kept.get(key)
        if kept is not None and kept.until_s <= time.monotonic():
            self._forget(key)
            kept = None
        if kept is None:
            return HttpAnswer(504, {STATUS: "MISS"}, b"")
        self._kept.move_to_end(key)
        headers = {**kept.headers, STATUS: "HIT"}
        if _is_unchanged(kept.headers, asked):
            return StreamedAnswer(304, [*headers.items()], None)
        part = _part(asked.get("range", ""), len(kept.body))
        if part is None:
            return HttpAnswer(kept.status, headers, kept.body)
        shown = f"bytes {part.start}-{part.stop - 1}/{len(kept.body)}"
        return HttpAnswer(
            206, {**headers, "content-range": shown}, kept.body[part.start : part.stop]
        )

    def _put(self, key: tuple[str, str], content: bytes) -> None:
        self._forget(key)
        head, _, body = content.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for name, _, value in (line.partition(":") for line in lines):
            before = headers.get(name.lower())
            headers[name.lower()] = (
                value.strip() if before is None else f"{before}, {value.strip()}"
            )
        seconds = _seconds(headers)
        if seconds <= 0 or len(body) > KEPT_MAX_BYTES:
            return
        shown = {name: value for name, value in headers.items() if name not in _FRAMING}
        until_s = time.monotonic() + seconds
        self._kept[key] = Kept(int(first.split()[1]), shown, body, until_s)
        self._bytes += len(body)
        while self._bytes > KEPT_MAX_BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: tuple[str, str]) -> bool:
        kept = self._kept.pop(key, None)
        self._bytes -= 0 if kept is None else len(kept.body)
        return kept is not None


def _part(asked: str, size: int) -> range | None:
    """Return the bytes of a `Range` header; None for the whole, as for one that makes no sense."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked)
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        return range(max(0, size - int(last)), size) if int(last) else None
    part = range(int(first), min(size, int(last) + 1) if last else size)
    return part or None


def _is_unchanged(kept: dict[str, str], asked: dict[str, str]) -> bool:
    """Whether the client has this response already."""
    if none_match := asked.get("if-none-match"):
        tags = {tag.strip().removeprefix("W/") for tag in none_match.split(",")}
        return "*" in tags or kept.get("etag", "").removeprefix("W/") in tags
    since, modified = _time_s(asked, "if-modified-since"), _time_s(kept, "last-modified")
    return since is not None and modified is not None and modified <= since


def _seconds(headers: dict[str, str]) -> float:
    """Return how long a response may be kept."""
    control = headers.get("cache-control", "").lower()
    if _NOT_KEPT.search(control) or "set-cookie" in headers:
        return 0.0
    for name in ("s-maxage", "max-age"):
        if found := re.search(rf"\b{name}=(\d+)", control):
            return float(found[1])
    if "expires" in headers:
        expires = _time_s(headers, "expires")
        return 0.0 if expires is None else expires - time.time()
    return UNSTATED_S


def _time_s(headers: dict[str, str], name: str) -> float | None:
    from email.utils import parsedate_to_datetime  # few workers need it

    try:
        return parsedate_to_datetime(headers[name]).timestamp()
    except (KeyError, ValueError):
        return None
