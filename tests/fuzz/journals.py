"""Damaged journals: a clear error or a server that runs, no traceback, and nothing made worse."""

from __future__ import annotations

import asyncio
import functools
import json
import sqlite3
import tempfile
from pathlib import Path
from random import Random
from typing import Any

from emulator.clock import VirtualClock
from emulator.config.load import load_config
from emulator.engine.control import Control
from emulator.engine.engine import Engine
from emulator.engine.journal.journal import Journal
from emulator.engine.model.definition import Definition
from emulator.errors import EmulatorError
from emulator.server.api.workflows.routes import workflow_routes
from emulator.server.app import create_app
from emulator.server.security import Access
from tests.engine.scripted import ScriptedGuest, Step
from tests.engine.world import CLASS, HOUR, NAME, SECOND, World
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import NUMBERS, changed_json, json_bytes, text
from tests.fuzz.rest import PROJECT, ask, parts
from tests.server.serving import FakeWorker

_COLUMNS = {
    "entries": ("at_ms", "kind", "step", "attempt", "data", "value", "instance"),
    "instances": ("workflow", "id", "created_ms", "status", "wake_ms", "ended_ms", "expires_ms"),
    "generations": ("code", "since_ms"),
    "stream_chunks": ("stream", "position", "instance", "chunk"),
    "high_water": ("entry", "instance"),
}


async def _orders(event: Any, step: Step) -> Any:
    async def outer(ctx: Any) -> str:
        return str(await ctx.step.do("inner", lambda ctx: "done"))

    await step.do("charge", lambda ctx: {"paid": True})
    await step.do("ship", outer)
    if event["payload"].get("fails"):
        raise ValueError("no")
    await step.sleep("rest", "1 hour")
    await step.wait_for_event("approval", "approved", "1 hour")
    return "over"


@functools.cache
def sound_journal() -> bytes:
    """Return the file of a journal with instances of many kinds, closed in good order."""

    async def record(folder: Path) -> bytes:
        world = World(folder, {CLASS: _orders})
        for instance in ("asleep", "waits", "paused", "ended"):
            await world.create(instance)
        await world.create("failed", {"fails": True})
        await world.send("approved", {"n": 1}, "ended")
        await world.pause("paused")
        await world.advance(HOUR + SECOND)
        await world.create("fresh")
        world.engine.stop()
        world.journal.close()
        connection = sqlite3.connect(world.path, isolation_level=None)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.close()
        return world.path.read_bytes()

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(record(Path(folder)))


class Journals(Target):
    """An input has a line of JSON for each change of a sound journal.

    `["bytes", at, run, byte]`, `["cut", size]` or `["row", table, column, n, value]`.
    """

    name = "journals"
    about = "damaged journals: flipped bits, cut files, rows that say anything"
    limit_s = 10.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "entry.py").touch()
        (folder / "wrangler.toml").write_text(PROJECT)
        self._config = load_config(folder, process_env={}, clock=VirtualClock())

    def make(self, random: Random) -> bytes:
        size = len(sound_journal())
        changes: list[Any] = []
        for _ in range(random.choice((1, 1, 2, 4))):
            match random.randrange(6):
                case 0 | 1:
                    run = random.choice((1, 1, 8, 512, 4096))
                    changes.append(["bytes", random.randrange(size), run, random.randrange(256)])
                case 2:
                    changes.append(["cut", random.randrange(size)])
                case _:
                    table = random.choice(("entries", "entries", "instances", *_COLUMNS))
                    column = random.choice(_COLUMNS[table])
                    changes.append(["row", table, column, random.randrange(40), _cell(random)])
        return b"\n".join(map(json_bytes, changes))

    def check(self, data: bytes) -> None:
        changes = []
        for line in data.splitlines():
            try:
                changes.append(json.loads(line))
            except ValueError:
                return  # made too small
        for old in self.folder.glob("journal*"):
            old.unlink()
        path = self.folder / "journal.sqlite"
        path.write_bytes(sound_journal())
        for change in changes:
            _damage(path, change)
        self._check_reading(path)
        self._check_running(path)

    def _check_reading(self, path: Path) -> None:
        """Commands that only look: an answer or an error, and the file stays as it is."""
        before = path.read_bytes()
        try:
            asyncio.run(self._look(path))
        except EmulatorError:
            pass
        if path.read_bytes() != before:
            raise Broken("reading has changed the file")

    async def _look(self, path: Path) -> None:
        journal = Journal.open_to_read(path)
        engine = _engine(journal, VirtualClock())
        try:
            worker = parts(engine, Control(engine), self._config)
            app = create_app(FakeWorker(), access=Access(), routes=lambda: workflow_routes(worker))
            base = "/client/v4/accounts/a/workflows/orders/instances"
            for target in ("", "/asleep", "/ended", "/failed", "/ended/step?name=ship-1&type=step"):
                status, _, answer = await ask(app, "GET", base + target, b"")
                if status == 500 and b'"errors"' not in answer:
                    raise Broken(f"GET {target}: {answer[:200]!r}")
        finally:
            engine.stop()
            journal.close()

    def _check_running(self, path: Path) -> None:
        """A server on it: it says what is wrong, or it runs."""
        before = path.read_bytes()
        try:
            asyncio.run(_run(path))
        except EmulatorError as error:
            if not str(error):
                raise Broken("an error that says nothing") from error
            if "Nothing was changed" in str(error) and path.read_bytes() != before:
                raise Broken(f"something was changed: {error}") from error


def _engine(journal: Journal, clock: VirtualClock) -> Engine:
    engine = Engine(journal, clock, concurrency=9, grace_ms=5_000, report=lambda text: None)
    engine.define([Definition(NAME, CLASS)])
    return engine


async def _run(path: Path) -> None:
    defects: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: defects.append(str(context)))
    clock = VirtualClock()
    journal = Journal.open(path, "NORMAL")
    try:
        engine = _engine(journal, clock)
        engine.start()
        guest = ScriptedGuest(engine, 1, {CLASS: _orders}, [])
        engine.use_guest(guest, "code")
        for _ in range(6):
            clock.advance(HOUR)
            for _ in range(10):
                clock.advance(0)
                await asyncio.sleep(0)
        engine.stop()
        guest.die()
    finally:
        journal.close()
    # A malformed value is sent to a real guest, and fails the call that asks for it.
    ours = [defect for defect in defects if "MalformedValue" not in defect]
    if ours:
        raise Broken(ours[0])


def _cell(random: Random) -> Any:
    data = {"config": {"retries": {"limit": 1, "delay": 10}}, "timeoutMs": 5, "delayMs": 1}
    return random.choice(
        (
            *(None, "", "do:1:charge", "do:x:y", ":", "sleep:1:rest", text(random)),
            *(json.dumps(changed_json(random, data)), "[1]", "{", '{"$date":1e30}', "null"),
            *(random.choice(NUMBERS), random.randrange(120), -1, "paused", "waiting", "queued"),
            *("complete", "rollingBack", "waitingForPause", "errored", "bogus"),
        )
    )


def _damage(path: Path, change: list[Any]) -> None:
    match change:
        case ["bytes", int(at), int(run), int(byte)]:
            data = bytearray(path.read_bytes())
            data[at : at + run] = bytes([byte]) * len(data[at : at + run])
            path.write_bytes(bytes(data))
        case ["cut", int(size)]:
            path.write_bytes(path.read_bytes()[:size])
        case ["row", str(table), str(column), int(n), value]:
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                value = str(value)
            if isinstance(value, str):
                value = value.encode("utf-8", "replace").decode()
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                connection.execute(
                    f"UPDATE {table} SET {column} = ?1 WHERE rowid = (SELECT rowid FROM {table}"
                    " LIMIT 1 OFFSET ?2)",
                    (value, n),
                )
            except (sqlite3.Error, UnicodeDecodeError):
                pass  # the file is too damaged, or a rule of the schema refuses it
            finally:
                connection.close()
