"""The answers of `/cdn-cgi/groundfog/clock`. Times are ISO 8601 texts in UTC."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class ClockState(TypedDict):
    """What time it is. `next`: when the next thing is due. `before`: the time before a move."""

    mode: Literal["real", "virtual"]
    frozen: bool
    now: str
    next: str | None
    before: NotRequired[str]
