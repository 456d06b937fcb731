"""Answers of a model that are not JSON values: the bytes of a file, or a stream of events."""

from __future__ import annotations

from dataclasses import dataclass

EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Media:
    """A file: a picture or a sound."""

    content: bytes
    content_type: str


class Events(list[bytes]):
    """Server-sent events, sent as a stream, one chunk each."""
