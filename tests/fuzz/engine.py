"""A hostile guest against the engine: well-formed messages in any order, whatever was asked.

The guest is lost when it breaks the protocol, as the host has it, and another one comes. Users
create, pause, restart and delete meanwhile, time passes, hosts crash.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import typing
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from emulator.clock import VirtualClock
from emulator.engine.control import Control
from emulator.engine.engine import Engine
from emulator.engine.guests.blame import Cause, Loss
from emulator.engine.journal.journal import Journal
from emulator.engine.model.definition import Definition
from emulator.engine.model.instance_entries import RestartPoint
from emulator.errors import WorkerError
from emulator.protocol.loading import Loaded
from emulator.protocol.message import MESSAGE_TYPES, Message, ProtocolError, decode
from emulator.protocol.runs import RUN_MESSAGES, RunMessage
from tests.engine.soundness import unsound
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import json_value, text

WORKFLOW, CLASS = "flow", "Flow"
IDS = ("a", "b", "c")
NAMES = ("load", "charge")
_TURNS = 8  # of the event loop, after which nothing more comes by itself

_HEARD = sorted(RUN_MESSAGES)


class Engines(Target):
    """An input has a line of JSON for each thing that happens: `[what, …]`."""

    name = "engine"
    about = "what a guest may say to the engine, in any order, among what users ask for"
    limit_s = 5.0

    def make(self, random: Random) -> bytes:
        story = [["create", random.choice(IDS)], ["say", _saying(random)]]
        story += [_happening(random) for _ in range(random.randint(3, 30))]
        return b"\n".join(json.dumps(one).encode() for one in story)

    def check(self, data: bytes) -> None:
        story = []
        for line in data.splitlines():
            try:
                story.append(json.loads(line))
            except ValueError:
                return  # made too small
        path = self.folder / "journal.sqlite"
        for old in self.folder.iterdir():
            old.unlink()
        asyncio.run(_play(path, story))


def _happening(random: Random) -> list[Any]:
    what = random.choices(
        ("say", "create", "event", "operate", "pass", "load", "lose", "crash"),
        (30, 3, 3, 6, 5, 1, 1, 1),
    )[0]
    match what:
        case "say":
            return ["say", _saying(random)]
        case "create":
            return ["create", random.choice(IDS)]
        case "event":
            return ["event", random.choice(IDS), random.choice(("go", "stop"))]
        case "operate":
            operations = ("pause", "resume", "terminate", "roll back", "restart", "restart from")
            operation = random.choice((*operations, "delete", "skip"))
            return ["operate", operation, random.choice(IDS)]
        case "pass":
            return ["pass", random.choice((1, 30, 1_000, 10_000, 3_600_000, 90_000_000))]
    return [what]


def _saying(random: Random) -> dict[str, Any]:
    """Return a message of a guest; numbers of runs and calls are small, so they meet."""
    kind = random.choices(_HEARD, [1, 1, 1, 6, 2, 6, 2, 2][: len(_HEARD)])[0]
    cls = MESSAGE_TYPES[kind]
    hints = typing.get_type_hints(cls)
    said: dict[str, Any] = {"type": kind}
    for field in dataclasses.fields(cls):
        optional = field.default is not dataclasses.MISSING
        if not optional or random.random() < 0.4:
            said[field.name] = _field(random, field.name, hints[field.name])
    return said


def _field(random: Random, name: str, hint: Any) -> Any:
    match name:
        case "run" | "call":
            return random.choice((1, 1, 1, 2, 2, 3, 4, -1, 0))
        case "kind":
            return random.choice(("do", "do", "do", "sleep", "waitForEvent", "teleport"))
        case "name" | "step":
            return random.choice((*NAMES, *NAMES, "", text(random)))
        case "count" | "attempt":
            return random.choice((1, 1, 1, 2, 3, 0, -1, 2**60))
        case "parent":
            return random.choice((0, 0, 1, 2, 99))
        case "options":
            return _options(random)
        case "state":
            return random.choice(("through", "rested", "ended", "restless", "asleep"))
        case "asked":
            known = ["do", random.choice(NAMES), random.choice((1, 2)), "", random.choice((0, 1))]
            return [random.choice((known, json_value(random, 1)))]
        case "declared":
            return [["load", "x.py:1"]]
        case "payload":
            values = (
                "",
                "1",
                '"x"',
                '{"$ref":0}',
                '{"$set":[{}]}',
                "[",
                '{"$date":1e30}',
                "[1000]",
            )
            return random.choice((*values, "x" * 2_000, '{"$bytes":"AA=="}'))
    if hint is bool:
        return random.random() < 0.5
    if hint is int:
        return random.choice((0, 1, 2, 5, -1, 2**40))
    return text(random)


def _options(random: Random) -> Any:
    retries = {"limit": random.choice((0, 1, 3, 2**40)), "delay": random.choice((0, 10, "1 hour"))}
    given: tuple[Any, ...] = (
        {},
        {"config": {"retries": retries}},
        {"config": {"retries": {**retries, "delay": {"$function": 1}}}},
        {"config": {"timeout": random.choice((10, "1 minute", 0, -1))}},
        {"rollback": {}},
        {"rollback": {"retries": retries}},
        {"duration": random.choice((0, 10, 2_000, "1 day", -5, 1e300, None))},
        {"timestamp": random.choice((0, 1_767_225_700_000, 1e300, None))},
        {"type": "go", "timeout": random.choice((1_000, "1 hour", 1))},
        {"type": "go"},
        json_value(random, 2),
    )
    chosen = random.choice(given)
    return chosen if isinstance(chosen, dict) else {}


class _Guest:
    """Remembers what it is told; `said` is what it says."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.loaded = Loaded({}, {CLASS: "x.py:1"}, {}, free_steps=generation % 2 == 1)
        self.sent = 0
        self.broken = False

    def send(self, message: Message) -> None:
        self.sent += 1

    def broke_protocol(self, error: ProtocolError) -> None:
        self.broken = True

    def when_read(self, callback: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(callback)


class _World:
    """One host after the other on one journal, with a virtual clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = VirtualClock()
        self.generation = 0
        self.boot()

    def boot(self) -> None:
        self.journal = Journal.open(self.path, "NORMAL")
        self.engine = Engine(
            self.journal, self.clock, concurrency=2, grace_ms=5_000, report=lambda text: None
        )
        self.control = Control(self.engine)
        self.engine.define([Definition(WORKFLOW, CLASS)])
        self.engine.start()
        self.load()

    def load(self) -> None:
        self.generation += 1
        self.guest = _Guest(self.generation)
        self.engine.use_guest(self.guest, f"code {self.generation // 2}")

    def crash(self) -> None:
        self.engine.stop()
        self.journal.close()
        self.clock = VirtualClock(self.clock.now_ms())
        self.boot()

    async def rest(self) -> None:
        for _ in range(_TURNS):
            self.clock.advance(0)
            await asyncio.sleep(0)

    def hear(self, said: dict[str, Any]) -> None:
        """Hand a message on as the runner does: who breaks the protocol is lost."""
        fields = {name: value for name, value in said.items() if name not in ("type", "payload")}
        header = json.dumps({"type": said["type"], **fields}).encode()
        try:
            message = decode(header, str(said.get("payload", "")).encode())
            assert isinstance(message, RunMessage)
            self.engine.hear(self.guest, message)
            self.engine.all_heard()
        except ProtocolError:
            self.lose()

    def lose(self) -> None:
        self.engine.guest_lost(self.guest, Loss("broke the protocol", Cause.ENDED))
        self.load()

    async def operate(self, operation: str, instance: str) -> None:
        control = self.control
        operations: dict[str, Callable[[], Any]] = {
            "create": lambda: control.create(WORKFLOW, instance, b'{"n":1}'),
            "pause": lambda: control.pause(WORKFLOW, instance),
            "resume": lambda: control.resume(WORKFLOW, instance),
            "terminate": lambda: control.terminate(WORKFLOW, instance),
            "roll back": lambda: control.terminate(WORKFLOW, instance, True),
            "restart": lambda: control.restart(WORKFLOW, instance),
            "restart from": lambda: control.restart(WORKFLOW, instance, RestartPoint("load")),
            "delete": lambda: control.delete(WORKFLOW, instance),
            "skip": lambda: control.skip(WORKFLOW, instance),
        }
        await self._refusable(operations[operation]())

    async def send(self, instance: str, event: str) -> None:
        await self._refusable(self.control.send_event(WORKFLOW, instance, event, b"7"))

    async def _refusable(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        while not task.done():
            self.clock.advance(50)  # a guest that does not answer is given up
            await asyncio.sleep(0)
        try:
            task.result()
        except WorkerError:
            pass


async def _play(path: Path, story: list[list[Any]]) -> None:
    defects: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: defects.append(str(context)))
    world = _World(path)
    try:
        for happening in story:
            match happening:
                case ["say", said]:
                    world.hear(said)
                case ["create", instance]:
                    await world.operate("create", instance)
                case ["event", instance, event]:
                    await world.send(instance, event)
                case ["operate", operation, instance]:
                    await world.operate(operation, instance)
                case ["pass", span_ms]:
                    world.clock.advance(span_ms)
                case ["load"]:
                    world.load()
                case ["lose"]:
                    world.lose()
                case ["crash"]:
                    world.crash()
            if world.guest.broken:
                world.lose()
            await world.rest()
            _check(world, defects)
        world.crash()
        await world.rest()
        _check(world, defects)
    finally:
        world.engine.stop()
        world.journal.close()


def _check(world: _World, defects: list[str]) -> None:
    if defects:
        raise Broken(defects[0])
    if problems := unsound(world.journal):
        raise Broken(problems[0])
