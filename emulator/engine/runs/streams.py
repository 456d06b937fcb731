"""Byte streams that steps return: their limit, what is recorded, how they are read.

Their bytes are rows of their own in the journal, written while the attempt still runs; the success
of the step is recorded last and names the stream. Decides and words; `engine.py` carries out.
Source: docs/platform/workflows.md, "Streams".
"""

from __future__ import annotations

import codecs

from emulator.engine.journal.journal import Journal
from emulator.engine.model.instance import Instance
from emulator.engine.model.plain import TEXT_MAX_CHARS, TRUNCATED
from emulator.engine.model.step import StepState
from emulator.errors import StateError
from emulator.protocol import values
from emulator.protocol.message import ProtocolError
from emulator.protocol.runs import OUTPUT_CHUNK_BYTES, StreamPiece, StreamRead
from emulator.protocol.values import StreamValue

# Production's limit for all stored state of an instance. Here only streams are counted.
# Source: docs/platform/workflows.md, "Limits".
STORAGE_MAX_BYTES = 1024 * 1024 * 1024
CORRUPT = "Step has completed but its stored stream output is corrupt or incomplete"

_TAGS = (b'{"$stored":', b'{"$stream":')  # the latter as older versions wrote it
_HEAD_BYTES = 4 * TEXT_MAX_CHARS  # of UTF-8 for what is shown


class Output:
    """The part of a stream that an attempt in progress has sent."""

    __slots__ = ("id", "chunks", "size", "_head")

    def __init__(self, number: int) -> None:
        self.id = number
        self.chunks = 0
        self.size = 0
        self._head = b""

    def take(self, chunk: bytes) -> int:
        """Count a chunk and return its position. Raises ProtocolError for a wrong size."""
        if not 0 < len(chunk) <= OUTPUT_CHUNK_BYTES:
            raise ProtocolError(f"a step_chunk of {len(chunk)} bytes")
        if len(self._head) < _HEAD_BYTES:
            self._head += chunk[: _HEAD_BYTES - len(self._head)]
        self.size += len(chunk)
        self.chunks += 1
        return self.chunks - 1

    def value(self) -> bytes:
        """Return the value of the step to record, after the stream is complete."""
        shown = _preview(self._head, self.size)
        return values.encode(StreamValue(self.id, self.chunks, self.size, shown))


def stream_of(value: bytes) -> StreamValue | None:
    """Return the stream that a recorded value names; None for any other value."""
    if not value.startswith(_TAGS):
        return None
    try:
        found = values.decode(value)
    except values.MalformedValue:
        return None
    return found if isinstance(found, StreamValue) else None


def kept_streams(instance: Instance) -> set[int]:
    """Return the numbers of the streams that results of its steps name."""
    steps = [*instance.steps.values(), *instance.aside.values()]
    found = [stream_of(step.value) for step in steps if step.state is StepState.SUCCEEDED]
    return {stream.id for stream in found if stream is not None}


def piece(journal: Journal, instance: int, wanted: StreamRead) -> StreamPiece:
    """Return the answer to a guest that reads a stream of the instance with this key."""
    stream = StreamValue(wanted.stream, wanted.chunks, wanted.bytes, "")
    try:
        problem = "" if wanted.position else damage(journal, instance, stream, wanted.step)
        chunk = None if problem else journal.chunks.chunk(instance, stream.id, wanted.position)
    except StateError as error:
        problem, chunk = str(error), None
    if chunk is None:
        missing = f"Missing chunk {wanted.position} for streamed step output"
        return StreamPiece(wanted.run, wanted.read, problem or missing)
    return StreamPiece(wanted.run, wanted.read, payload=chunk)


def damage(journal: Journal, instance: int, stream: StreamValue, step: str) -> str:
    """Return what is wrong with a stored stream, in production's words; "" if it is complete."""
    try:
        chunks, first, last, size = journal.chunks.extent(instance, stream.id)
    except StateError as error:
        return str(error)
    whole = (0, stream.chunks - 1) if stream.chunks else (None, None)
    if (chunks, size) == (stream.chunks, stream.size) and (first, last) == whole:
        return ""
    between = "..".join("null" if place is None else str(place) for place in (first, last))
    return (
        f"Stored streamed step output is corrupt or incomplete for cache key {step}. Expected"
        f" {stream.chunks} chunks / {stream.size} bytes, found {chunks} chunks / {size} bytes"
        f" with chunk index range {between}."
    )


def _preview(head: bytes, size: int) -> str:
    """Return the beginning of a stream if it is text, else a label."""
    whole = len(head) == size
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return f"[ReadableStream (binary): {size} bytes]"
    text = text.removeprefix("\ufeff")
    if whole and len(text) <= TEXT_MAX_CHARS:
        return text
    return text[:TEXT_MAX_CHARS] + TRUNCATED
