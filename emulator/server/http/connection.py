"""What our HTTP protocol adds to ASGI: the target as received, and access to the connection.

In ASGI, only a task that waits in `receive()` learns that the client went away. And ASGI has no way
to end a response so that the client sees that it is incomplete. Ingress needs both, at low cost.
`protocol.py` puts them into the scope of every request, under the keys below.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Protocol, cast

CONNECTION = "groundfog.connection"
TARGET = "groundfog.target"


class Connection(Protocol):
    """The TCP connection of a request."""

    def watch(self, on_lost: Callable[[], None] | None) -> None:
        """Call `on_lost` once, on the event loop, when the client is gone; None ends this.

        A connection has one request at a time, so there is at most one watcher.
        """
        ...

    def cut(self) -> None:
        """Close now, without ending the response: the client sees that it is incomplete."""
        ...


def connection_of(scope: MutableMapping[str, Any]) -> Connection:
    """Return the connection of the request that `scope` describes."""
    return cast(Connection, scope[CONNECTION])


def target_of(scope: MutableMapping[str, Any]) -> str:
    """Return path and query exactly as received, with percent-encoding and an empty `?`."""
    target: bytes = scope[TARGET]
    return target.decode("ascii")
