"""The client: creates instances and sends events until all have ended, and remembers the answers.

An operation without a good answer is tried again: an instance under the same id, an event as a new
one, because nobody can know whether the first was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import httpx

from tests.crash.scripts import Script
from tests.end_to_end.server import DevServer

ENDED = frozenset({"complete", "errored", "terminated"})


class Driver:
    """`created`: acknowledged ids. `sent`: acknowledged events, number -> (instance, type)."""

    def __init__(self, scripts: Sequence[Script], random: Random) -> None:
        self.created: set[str] = set()
        self.sent: dict[int, tuple[str, str]] = {}
        self.violations: list[str] = []
        self._scripts = scripts
        self._random = random
        self._uncreated = list(scripts)
        self._tried: set[str] = set()
        self._unsent: list[tuple[str, str]] = []
        self._numbers = 0
        self._ended: set[str] = set()

    @property
    def done(self) -> bool:
        """Whether every instance was seen to have ended."""
        return len(self._ended) == len(self._scripts)

    def act(self, server: DevServer) -> None:
        """Do one thing. Raises nothing when the server or its guest has just been killed."""
        try:
            choice = self._random.random()
            if self._uncreated and choice < 0.6:
                self._create(server)
            elif self._unsent and choice < 0.9:
                self._send(server)
            else:
                self._look(server)
        except httpx.TransportError:
            pass

    def _create(self, server: DevServer) -> None:
        script = self._uncreated[0]
        before = script.instance in self._tried
        self._tried.add(script.instance)
        body = {"id": script.instance, "params": script.params}
        response = server.post("/create", json=body)
        exists = "already exists" in response.text
        if exists and not before:
            self.violations.append(f"{script.instance} existed before it was created")
        if response.status_code == 200 or exists:
            self._uncreated.pop(0)
            self.created.add(script.instance)
            self._unsent += [(script.instance, event) for event in script.awaited()]
            self._random.shuffle(self._unsent)

    def _send(self, server: DevServer) -> None:
        instance, event = self._unsent[0]
        self._numbers += 1
        number = self._numbers
        response = server.post(f"/event/{instance}/{event}/{number}")
        if response.status_code == 200:
            self._unsent.pop(0)
            self.sent[number] = (instance, event)
        elif "cannot_send_event" in response.text:  # one that was not acknowledged arrived as well
            self._unsent.pop(0)
        elif "not exist" in response.text or "not_found" in response.text:
            self.violations.append(f"{instance} was acknowledged and is gone: {response.text}")

    def _look(self, server: DevServer) -> None:
        response = server.get("/", params={"id": sorted(self.created)})
        if response.status_code == 200:
            statuses = response.json()
            self._ended = {name for name, status in statuses.items() if status in ENDED}
        elif "not exist" in response.text or "not_found" in response.text:
            self.violations.append(f"an acknowledged instance is gone: {response.text}")
