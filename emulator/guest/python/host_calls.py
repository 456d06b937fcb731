"""Calls of what the host does for every worker, whatever is on `env`, such as `fetch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...protocol.loading import NETWORK
from .calls import Answer, Caller

_caller: Caller | None = None


def use(caller: Caller) -> None:
    """Call through this from now on."""
    global _caller
    _caller = caller


def ask(
    name: str,
    method: str,
    args: list[Any],
    failed: Callable[[str, str], Exception] | None = None,
    *,
    takes_stream: bool = False,
) -> Answer:
    """Send a call, and return what waits for its answer. For the rest, see `Caller.call`."""
    assert _caller is not None
    return _caller.call(name, method, args, failed=failed, takes_stream=takes_stream)


def fetch(request: dict[str, Any]) -> Answer:
    """Send a request of user code; it is stopped when nobody waits for its answer any more."""
    assert _caller is not None
    return _caller.call(NETWORK, "fetch", [request], takes_stream=True, stops=True)
