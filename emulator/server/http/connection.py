"""What our HTTP protocol adds to ASGI: the target as received, and a hold on the connection.

ASGI has no word for "the client went away" but a `receive()` that somebody must be waiting in, and
none for "end this response so that the client sees it is incomplete". Ingress needs both, cheaply.
`protocol.py` puts them into the scope of every request, under the keys below.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Protocol, cast

CONNECTION = "groundfog.connection"
TARGET = "groundfog.target"


class Connection(Protocol):
    """The TCP connection that a request came on."""

    def watch(self, on_lost: Callable[[], None] | None) -> None:
        """Call `on_lost` once, on the event loop, when the client is gone; None stops watching.

        One request at a time runs on a connection, so there is one watcher at most.
        """
        ...

    def cut(self) -> None:
        """Close now, without ending the response: the client sees that it is incomplete."""
        ...


def connection_of(scope: MutableMapping[str, Any]) -> Connection:
    """Return the connection of the request that `scope` describes."""
    return cast(Connection, scope[CONNECTION])


def target_of(scope: MutableMapping[str, Any]) -> str:
    """Return path and query byte for byte as received, percent-encoding and empty `?` included."""
    target: bytes = scope[TARGET]
    return target.decode("ascii")
