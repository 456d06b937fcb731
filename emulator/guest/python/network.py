"""The network of a worker under test: the host answers `fetch`, and nothing else gets out.

Where a guest is told so when it loads, `fetch` asks the host first, which answers, refuses, or lets
the request pass. Connections that other packages make are refused, but to hosts that are allowed;
the host finds each refusal on stderr.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Collection
from typing import Any

from ...protocol.life import REFUSED_NETWORK
from ...protocol.loading import NETWORK
from .calls import Answer, Caller

_EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")

_caller: Caller | None = None
_passing = threading.local()


class NetworkRefused(OSError):
    """Code of a worker under test has opened a connection of its own."""


def guard(caller: Caller, allowed: Collection[str]) -> None:
    """Ask the host before every `fetch` from now on, and refuse other connections."""
    global _caller
    _caller = caller
    hosts = frozenset(allowed)

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            _check(event, args, hosts)

    sys.addaudithook(watch)


def asked(method: str, url: str, headers: Any, body: bytes | None) -> Answer | None:
    """Return what waits for the host's answer; None where the network is free.

    The answer is `{"status", "reason", "headers", "body"}`, or None: the request may pass.
    """
    if _caller is None:
        return None
    request = {"method": method, "url": url, "headers": [list(pair) for pair in headers]}
    return _caller.call(NETWORK, "fetch", [{**request, "body": body}])


def passing(send: Callable[..., Any], *args: Any) -> Any:
    """Send a request that the host has let pass; connections of this thread are free meanwhile."""
    _passing.free = True
    try:
        return send(*args)
    finally:
        _passing.free = False


def _check(event: str, args: tuple[Any, ...], allowed: frozenset[str]) -> None:
    host, port = _target(event, args)
    if not host or host in allowed or getattr(_passing, "free", False):
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
