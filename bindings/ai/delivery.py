"""How an answer is sent: as a stream, at the speed of a rule, or as a whole HTTP response."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from bindings.ai.errors import http_status
from bindings.ai.replies import EVENT_STREAM, Events, Media
from bindings.ai.settings import Rule
from bindings.binding import ByteStream
from emulator.clock import Clock
from emulator.errors import WorkerError

RawResponse = dict[str, Any]  # {status, headers, body}


async def pause(clock: Clock, span_ms: int) -> None:
    """Wait until `clock` has moved on by `span_ms`."""
    due = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not due.done():
            due.set_result(None)

    alarm = clock.call_at(clock.now_ms() + span_ms, wake)
    try:
        await due
    finally:
        alarm.cancel()


def stream_events(events: Events, rule: Rule, clock: Clock) -> ByteStream:
    """Return events as a stream in pieces, as a rule says: one event or so many bytes each."""
    chunks: list[bytes] = events
    if rule.stream_bytes is not None:
        whole, size = b"".join(events), rule.stream_bytes
        chunks = [whole[start : start + size] for start in range(0, len(whole), size)]
    return ByteStream(_read(chunks, rule.stream_delay_ms, clock), EVENT_STREAM)


async def _read(chunks: list[bytes], delay_ms: int, clock: Clock) -> AsyncIterator[bytes]:
    for number, chunk in enumerate(chunks):
        if number and delay_ms:
            await pause(clock, delay_ms)
        yield chunk


def as_stream(file: Media) -> ByteStream:
    """Return a file as a stream of one chunk."""

    async def whole() -> AsyncIterator[bytes]:
        yield file.content

    return ByteStream(whole(), file.content_type)


def countable(answer: Any) -> Any:
    """Return the part of an answer whose tokens are counted."""
    if isinstance(answer, Events):
        return b"".join(answer).decode(errors="replace")
    return None if isinstance(answer, Media) else answer


def raw_answer(answer: Any) -> RawResponse | ByteStream:
    """Return the response the service sends for an answer; a stream is returned as it is."""
    if isinstance(answer, ByteStream):
        return answer
    if isinstance(answer, Media):
        return raw_response(200, answer.content_type, answer.content)
    return raw_response(200, "application/json", to_json(answer))


def raw_error(error: WorkerError) -> RawResponse:
    """Return the response the service sends for an error."""
    description = error.message.partition(": ")[2] or error.message
    body = {
        "internalCode": error.code,
        "message": f"{error.name}: {description}",
        "name": error.name,
        "description": description,
    }
    return raw_response(http_status(error.code), "application/json", to_json(body))


def raw_response(status: int, content_type: str, body: bytes) -> RawResponse:
    """Return a response in the form in which the client gets it."""
    return {"status": status, "headers": {"content-type": content_type}, "body": body}


def to_json(value: Any) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
