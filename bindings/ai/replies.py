"""What a model's answer can be besides a JSON value: the bytes of a file, or a stream of events."""

from __future__ import annotations

from dataclasses import dataclass

EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Media:
    """A file: a picture or a sound."""

    content: bytes
    content_type: str


class Events(list[bytes]):
    """Server-sent events, which leave as a stream, one chunk each."""
