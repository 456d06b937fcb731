"""The network of a worker under test: only `fetch`, which the host sends, gets out.

Connections that packages make by themselves are refused, but to hosts that are allowed; the host
finds each refusal on stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import Any

from ...protocol.life import REFUSED_NETWORK

_EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


class NetworkRefused(OSError):
    """Code of a worker under test has opened a connection of its own."""


def guard(allowed: Collection[str]) -> None:
    """Refuse connections from now on."""
    hosts = frozenset(allowed)

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            _check(event, args, hosts)

    sys.addaudithook(watch)


def _check(event: str, args: tuple[Any, ...], allowed: frozenset[str]) -> None:
    host, port = _target(event, args)
    if not host or host in allowed:
        return
    place = f"{host}:{port}" if port else host
    os.write(2, f"{REFUSED_NETWORK}{place}\n".encode())
    raise NetworkRefused(
        f"{place}: a worker under test reaches no network. worker.outbound answers requests that"
        f" are made with fetch(); the option allow_hosts=[{host!r}] lets connections through."
    )


def _target(event: str, args: tuple[Any, ...]) -> tuple[str, Any]:
    """Return host and port that an audit event is about; no host: no network."""
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        return (str(address[0]), address[1]) if isinstance(address, tuple) else ("", 0)
    host = args[0].decode() if isinstance(args[0], bytes) else args[0]
    return (str(host) if host else "", args[1] if len(args) > 1 else 0)
