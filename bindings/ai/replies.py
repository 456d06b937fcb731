"""Answers of a model that are not JSON values: the bytes of a file, or a stream of events."""

from __future__ import annotations

from msgspec import Struct

EVENT_STREAM = "text/event-stream"


class Media(Struct, frozen=True):
    """A file: a picture or a sound."""

    content: bytes
    content_type: str


class Events(list[bytes]):
    """Server-sent events, sent as a stream, one chunk each."""
