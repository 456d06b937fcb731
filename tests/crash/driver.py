"""The client: creates instances, sends events and rows, pauses, restarts, … and notes the answers.

Half of it goes through the worker's bindings, half over REST. What it asks and what is answered is
in the ledger; an operation without a good answer is tried again where it must happen at last: a
creation under the same id, an event as a new one, because nobody can know whether it was recorded.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from tests.crash.ledger import Ledger
from tests.crash.scripts import CHILD_EVENT, Script
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

ENDED = frozenset({"complete", "errored", "terminated"})
REST = "/client/v4/accounts/a/workflows"
OPERATIONS = (
    *("pause", "pause", "restart", "restart-from", "terminate", "terminate-rollback"),
    *("skip", "skip", "delete", "delete-create"),
)


@dataclass
class Operation:
    """What is asked of an instance, once the client has done `after` other things since."""

    kind: str
    instance: str
    after: int


def random_operations(random: Random, scripts: Sequence[Script]) -> list[Operation]:
    """Return what is asked of some of the instances besides events."""
    return [
        Operation(random.choice(OPERATIONS), script.instance, random.randint(0, 40))
        for script in scripts
        if random.random() < 0.5
        for _ in range(random.randint(1, 2))
    ]


class Driver:
    """Two threads may `act` at once, each with its own number."""

    def __init__(
        self,
        scripts: Sequence[Script],
        operations: Sequence[Operation],
        ledger: Ledger,
        random: Random,
        rows: int = 0,
    ) -> None:
        self.violations: list[str] = []
        self.rows: list[str] = []  # as the worker finds them at the end
        self._ledger = ledger
        self._randoms = [Random(random.random()) for _ in range(2)]
        self._scripts = {script.instance: script for script in scripts}
        self._children = {child.instance for script in scripts for child in script.children}
        self._operations = list(operations)
        self._lock = threading.Lock()
        self._number = 0
        self._uncreated = list(scripts)
        self._tried: set[str] = set()
        self._created: set[str] = set()
        self._unsent: list[tuple[str, str]] = []
        self._unwritten = [f"client {n}" for n in range(rows)]
        self._busy: set[str] = set()  # what someone is asking something of
        self._paused: set[str] = set()
        self._gone: set[str] = set()  # deleted, not to be created again
        self._unended: set[str] | None = None  # None: not looked at since the last creation
        self._creations = 0
        self._noted: dict[str, str] = {}  # the status that an instance was last seen to have

    @property
    def left(self) -> str:
        """What keeps it from having done everything; nothing when all instances have ended."""
        to_do = [*self._uncreated, *self._operations, *self._paused, *self._unwritten]
        return f"{len(to_do)} to do; not ended: {self._unended}" if to_do or self._unended else ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do and every instance was seen to have ended."""
        return not self.left and self._unended is not None

    def act(self, server: DevServer, who: int = 0, *, last: bool = False) -> None:
        """Do one thing. Raises nothing when the server or its guest has just been killed.

        last: this server is the one under which everything must end.
        """
        random = self._randoms[who]
        try:
            choice = random.random()
            if self._uncreated and choice < 0.35:
                self._create(server, random)
            elif self._unsent and choice < 0.65:
                self._send_next(server, random)
            elif self._unwritten and choice < 0.7:
                self._write(server)
            elif self._operations and choice < 0.85:
                self._operate(server, random)
            elif self._paused and (last or choice < 0.9):
                self._resume(server, random)
            else:
                self._look(server, random, last)
        except httpx.TransportError:
            pass

    # --- asking, and noting what is answered

    def _ask(
        self, server: DevServer, method: str, path: str, *, json: Any = None, **said: object
    ) -> httpx.Response:
        with self._lock:
            self._number += 1
            number = self._number
        self._ledger.note("ask", number=number, **said)
        response = server.client.request(method, path, json=json)
        self._ledger.note("answer", number=number, status=response.status_code)
        if is_ours(response.text):
            self.violations.append(f"{method} {path}: {response.text}")
        return response

    def _take(self, names: Sequence[str]) -> str | None:
        """Return the first of these instances or rows that nobody is at, and mark it."""
        with self._lock:
            for name in names:
                if name not in self._busy:
                    self._busy.add(name)
                    return name
        return None

    def _create(self, server: DevServer, random: Random) -> None:
        instance = self._take([script.instance for script in self._uncreated])
        if instance is None:
            return
        try:
            self._create_one(server, random, self._scripts[instance])
        finally:
            self._busy.discard(instance)

    def _create_one(self, server: DevServer, random: Random, script: Script) -> None:
        instance = script.instance
        before = instance in self._tried
        self._tried.add(instance)
        asked = {"operation": "create", "instance": instance}
        if random.random() < 0.5:
            body = {"id": instance, "params": script.params}
            response = self._ask(server, "POST", "/create", json=body, **asked)
        else:
            body = {"instance_id": instance, "params": script.params}
            path = f"{REST}/flow/instances"
            response = self._ask(server, "POST", path, json=body, **asked)
        exists = "already exists" in response.text
        if exists and not before:
            self.violations.append(f"{instance} existed before it was created")
        if response.status_code == 200 or exists:
            with self._lock:
                self._creations, self._unended = self._creations + 1, None
            self._uncreated.remove(script)
            self._created.add(instance)
            events = [(instance, event) for event in script.awaited()]
            random.shuffle(events)
            self._unsent += events

    def _send_next(self, server: DevServer, random: Random) -> None:
        instance = self._take([instance for instance, _ in list(self._unsent)])
        if instance is None:
            return
        try:
            event = next(event for one, event in self._unsent if one == instance)
            if self._send(server, random, instance, event):
                self._unsent.remove((instance, event))
        finally:
            self._busy.discard(instance)

    def _send(self, server: DevServer, random: Random, instance: str, event: str) -> bool:
        """Send an event; return whether no other need be sent. Events of one type come in order."""
        with self._lock:
            self._number += 1
            number = self._number
        asked = {"operation": "event", "instance": instance, "type": event, "value": number}
        if random.random() < 0.5:
            path = f"/event/{instance}/{event}/{number}"
            response = self._ask(server, "POST", path, **asked)
        else:
            path = f"{REST}/flow/instances/{instance}/events/{event}"
            response = self._ask(server, "POST", path, json=number, **asked)
        return response.status_code == 200 or any(
            reason in response.text for reason in ("in_finite_state", "not exist", "not_found")
        )

    def _write(self, server: DevServer) -> None:
        row = self._take(list(self._unwritten))
        if row is None:
            return
        try:
            if self._ask(server, "POST", f"/row/{row}", operation="row").status_code == 200:
                self._unwritten.remove(row)
        finally:
            self._busy.discard(row)

    # --- operations

    def _operate(self, server: DevServer, random: Random) -> None:
        ready = [one for one in list(self._operations) if one.instance in self._created]
        for operation in ready:
            operation.after -= 1
        due = [one.instance for one in ready if one.after <= 0]
        instance = self._take(due)
        if instance is None:
            return
        try:
            operation = next(one for one in ready if one.instance == instance and one.after <= 0)
            self._operations.remove(operation)
            self._do(server, random, operation)
        finally:
            self._busy.discard(instance)

    def _do(self, server: DevServer, random: Random, operation: Operation) -> None:
        instance, kind = operation.instance, operation.kind
        path = f"{REST}/flow/instances/{instance}"
        asked = {"operation": kind, "instance": instance}
        match kind:
            case "delete" | "delete-create":
                self._gone.add(instance)
                self._unsent[:] = [one for one in self._unsent if one[0] != instance]
                self._ask(server, "DELETE", path, **asked)
                self._paused.discard(instance)  # without an answer it may still be there, paused
                if kind == "delete-create":
                    self._gone.discard(instance)
                    self._created.discard(instance)
                    self._uncreated.append(self._scripts[instance])
            case "skip":
                path = f"/cdn-cgi/groundfog/workflows/flow/instances/{instance}/skip"
                self._ask(server, "POST", path, json={}, **asked)
            case "restart-from":
                names = [act["name"] for act in self._scripts[instance].acts if "name" in act]
                if names:
                    body = {"status": "restart", "from": {"name": random.choice(names)}}
                    self._ask(server, "PATCH", f"{path}/status", json=body, **asked)
            case "terminate-rollback":
                rollback = {"status": "terminate", "rollback": True}
                self._ask(server, "PATCH", f"{path}/status", json=rollback, **asked)
            case _:
                if kind == "pause":
                    self._paused.add(instance)
                if random.random() < 0.5:
                    self._ask(server, "POST", f"/{kind}/{instance}", **asked)
                else:
                    body = {"status": kind}
                    self._ask(server, "PATCH", f"{path}/status", json=body, **asked)

    def _resume(self, server: DevServer, random: Random) -> None:
        instance = self._take(random.sample(sorted(self._paused), len(self._paused)))
        if instance is None:
            return
        try:
            asked = {"operation": "resume", "instance": instance}
            path = f"{REST}/flow/instances/{instance}/status"
            response = self._ask(server, "PATCH", path, json={"status": "resume"}, **asked)
            if response.status_code in (200, 404):
                self._paused.discard(instance)
        finally:
            self._busy.discard(instance)

    # --- looking

    def _look(self, server: DevServer, random: Random, last: bool) -> None:
        unended, creations = set(), self._creations
        with self._lock:
            self._number += 1
            look = self._number
        self._ledger.note("look", number=look)
        for workflow in ("flow", "leaf"):
            response = server.get(f"{REST}/{workflow}/instances", params={"per_page": 100})
            if response.status_code != 200:
                return
            statuses = {one["id"]: one["status"] for one in response.json()["result"]}
            unended |= {instance for instance, status in statuses.items() if status not in ENDED}
            for instance, status in statuses.items():
                if self._noted.get(instance) == status:
                    continue
                self._noted[instance] = status
                if status in ENDED:
                    self._ledger.note("ended", instance=instance, status=status, look=look)
                elif status == "paused":
                    self._ledger.note("paused", instance=instance, look=look)
        with self._lock:
            if creations == self._creations:  # else one may have come that was not seen
                self._unended = unended
        if last and unended and not (self._uncreated or self._unsent or self._operations):
            self._help(server, random, random.choice(sorted(unended)))

    def _help(self, server: DevServer, random: Random, instance: str) -> None:
        """Send what an instance still waits for: what it was sent was lost by a restart."""
        if instance in self._children:
            return
        response = server.get(f"{REST}/flow/instances/{instance}")
        if response.status_code != 200:
            return
        for step in response.json()["result"]["steps"]:
            if step["type"] == "waitForEvent" and not step["finished"]:
                if self._take([instance]) is None:
                    return
                try:
                    event = step["event_type"]
                    if event != CHILD_EVENT or random.random() < 0.1:
                        self._send(server, random, instance, event)
                finally:
                    self._busy.discard(instance)

    def look_at_rows(self, server: DevServer) -> None:
        """Read all rows there are."""
        response = eventually(lambda: _if_good(server.get("/rows")))
        self.rows = list(response.json())


def is_ours(text: str) -> bool:
    """Whether there is a line of a traceback through our own code in it."""
    return re.search(r'File "[^"]*/(emulator|bindings)/[^"]*", line', text) is not None


def _if_good(response: httpx.Response) -> httpx.Response | None:
    return response if response.status_code == 200 else None
