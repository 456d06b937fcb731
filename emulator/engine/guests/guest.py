"""What the engine needs of a guest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emulator.protocol.loading import Loaded
from emulator.protocol.message import Message, ProtocolError


class Guest(Protocol):
    """A process that runs user code. The runner's guests satisfy it."""

    generation: int
    loaded: Loaded

    def send(self, message: Message) -> None:
        """Queue `message`; a guest that is gone ignores it."""
        ...

    def when_read(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the guest has read everything that it was sent so far."""
        ...

    def broke_protocol(self, error: ProtocolError) -> None:
        """End the guest: what it said earlier turns out to break the protocol."""
        ...
