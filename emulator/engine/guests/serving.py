"""What serves now: a guest, and the code that it has loaded."""

from __future__ import annotations

from msgspec import Struct

from emulator.engine.guests.feed import Feed
from emulator.engine.guests.guest import Guest


class Serving(Struct):
    """The guest that serves, with its feed; None of both between two guests.

    generation: durable number of the code in use, the same for the same code. grace_ms: how long
    callbacks of a run may take to end, when other code is to serve.
    """

    guest: Guest | None = None
    feed: Feed | None = None
    generation: int = 0
    grace_ms: int = 0
