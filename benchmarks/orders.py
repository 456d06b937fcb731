"""Instances of `projects/reloading`, seen from outside: their status, and what their steps did.

Every request is repeated until it is answered: a server that restarts itself refuses some.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from benchmarks.servers import Server

ASK_EVERY_SECONDS = 0.02
ANSWER_SECONDS = 20
STEPS = ("reserve", "charge", "pack", "ship")
ENDED = ("complete", "errored", "terminated")


class Order:
    """One instance; `kind` says what is between "charge" and "ship"."""

    def __init__(self, server: Server, kind: str) -> None:
        self._server = server
        self.id = f"order-{time.monotonic_ns()}"
        ask(server, "/create", id=self.id, kind=kind)

    def moved_to(self, server: Server) -> None:
        """Ask `server` from now on."""
        self._server = server

    def status(self) -> str:
        return str(json.loads(ask(self._server, "/status", id=self.id))["status"])

    def effects(self) -> list[tuple[str, str]]:
        """Return the effects of steps, in order, as (effect, version of its code)."""
        rows: list[dict[str, Any]] = json.loads(ask(self._server, "/effects", id=self.id))
        return [(row["effect"], row["version"]) for row in rows]

    def await_effect(self, effect: str) -> None:
        """Return when `effect` has happened. Raises TimeoutError."""
        if not within(ANSWER_SECONDS, lambda: effect in dict(self.effects())):
            raise TimeoutError(f"{self._server.peer.name}: no {effect!r} in {ANSWER_SECONDS} s")

    def ended_within(self, seconds: float) -> bool:
        return within(seconds, lambda: self.status() in ENDED)

    def approve(self) -> None:
        ask(self._server, "/approve", id=self.id)

    def summary(self) -> str:
        """Return `complete; charge executed 2 times; ship by version 1`."""
        effects = self.effects()
        times = Counter(effect for effect, _ in effects)
        begun = Counter(effect.removesuffix(" begins") for effect, _ in effects) - times
        again = [f"{step} executed {begun[step]} times" for step in STEPS if begun[step] > 1]
        cut = [f"{step} cut off" for step in STEPS if times[f"{step} begins"] > times[step]]
        shipped = dict(effects).get("ship")
        last = f"ship by {shipped}" if shipped else "ship not executed"
        return "; ".join([self.status(), *(again or ["each step once"]), *cut, last])


def ask(server: Server, path: str, **query: str) -> str:
    """Return the worker's answer. Raises TimeoutError when it does not answer for long."""
    deadline = time.monotonic() + ANSWER_SECONDS
    last = ""
    while time.monotonic() < deadline:
        try:
            response = server.client.get(path, params=query, timeout=ANSWER_SECONDS)
            if response.status_code == httpx.codes.OK:
                return response.text
            last = response.text
        except httpx.TransportError as error:
            last = repr(error)
        time.sleep(ASK_EVERY_SECONDS)
    raise TimeoutError(f"{server.peer.name} did not answer {path}: {last[-500:]}")


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Return whether `holds` becomes true within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(ASK_EVERY_SECONDS)
    return False
