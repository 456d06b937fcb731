"""Writes the journals in `data/written/`, one a feature, and what is told of each.

    python -m tests.engine.journal_fixtures FOLDER [FEATURE]

A journal that is kept there was written by an earlier version of Groundfog, and a later one must
tell the same of it. So add a feature by running this on the version whose journals are to be kept,
and never write one again that is there.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from emulator.engine.decide.restarts import parse_restart_point
from emulator.engine.journal.journal import Journal
from emulator.engine.views import export, report
from emulator.engine.views.log import Log
from tests.engine.scripted import Context, Step, StepError, Stream, Undo, Workflow
from tests.engine.world import CLASS, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]
Story = Callable[[World], Awaitable[None]]

LATER = {"retries": {"limit": 3, "delay": "1 hour", "backoff": "constant"}}
ONCE = {"retries": {"limit": 0, "delay": 0}}


def _raising(name: str = "ValueError", message: str = "no") -> Callable[[Context], Any]:
    def callback(ctx: Context) -> Any:
        raise StepError(name, f"{message} {ctx.attempt}")

    return callback


# --- nested


async def _nested(event: Event, step: Step) -> Any:
    def charge(step: Step, who: str) -> asyncio.Future[Any]:
        return step.do("charge", lambda ctx: f"{who} is charged", line="src/entry.py:5")

    async def ask(ctx: Context) -> Any:
        await ctx.step.sleep("rest", "1 hour")
        return (await ctx.step.wait_for_event("approval", "go"))["payload"]

    async def order(ctx: Context) -> Any:
        first = await charge(ctx.step, "A")
        if ctx.attempt == 1:
            raise StepError("Error", "not yet")
        return [first, await charge(ctx.step, "B")]

    first = await step.do("order", order, {"retries": {"limit": 3, "delay": 0}})
    return [first, await charge(step, "C"), await step.do("ask", ask)]


async def _nested_story(world: World) -> None:
    await world.create("ended")
    await world.advance(HOUR + MINUTE)
    await world.send("go", {"ok": True}, "ended")
    await world.create("asleep")
    await world.advance(SECOND)


# --- streams


async def _streams(event: Event, step: Step) -> Any:
    pieces = [b"id,name\n", b"1,one\n" * 100]
    stream = await step.do("export", lambda ctx: Stream(pieces))
    size = len(await stream.read())
    await step.do("picture", lambda ctx: Stream([b"\xff\xfe\x00"]))
    await step.sleep("rest", "1 hour")
    return size


async def _streams_story(world: World) -> None:
    await world.create("ended")
    await world.advance(2 * HOUR)
    await world.create("asleep")


# --- rollback


async def _rollback(event: Event, step: Step) -> Any:
    what = event["payload"]

    async def undo(undo: Undo) -> None:
        if what == "failed" and undo.step == "b-1":
            raise StepError("RangeError", "cannot undo")

    for name in "abc":
        await step.do(name, lambda ctx: "made", rollback=undo, rollback_config=ONCE)
    if what == "asleep":
        await step.sleep("rest", "1 hour")
    raise StepError("Error", "too late")


async def _rollback_story(world: World) -> None:
    for name in ("complete", "failed", "asleep"):
        await world.create(name, name)
    await world.terminate("asleep", rollback=True)


# --- held


def _charging(name: str) -> Workflow:
    async def workflow(event: Event, step: Step) -> Any:
        paid = await step.do(name, lambda ctx: "paid", line="src/entry.py:11")
        await step.sleep("settle", "1 hour", line="src/entry.py:12")
        return paid

    return workflow


async def _held_story(world: World) -> None:
    await world.create("fits")
    world.load({CLASS: _charging("charge card")})
    await world.advance(MINUTE)
    world.load({CLASS: _charging("charge")})
    await world.advance(2 * HOUR)
    for policy in ("warn", "fail", "hold"):
        await world.create(f"{policy}-1")
        world.engine.divergences.policy = type(world.engine.divergences.policy)(policy)
        world.load({CLASS: _charging("charge card")})
        await world.advance(MINUTE)
        world.load({CLASS: _charging("charge")})
        await world.advance(2 * HOUR)
    for name in ("held", "accepted", "renamed"):
        await world.create(name)
    world.load({CLASS: _charging("charge card")})
    await world.advance(MINUTE)
    await world.control.resume_held(NAME, "accepted", None)
    await world.control.resume_held(NAME, "renamed", {"charge": "charge card"})
    await world.advance(2 * HOUR)


# --- paused


async def _paused(event: Event, step: Step) -> Any:
    gate = asyncio.Event()
    if event["payload"] == "busy":
        await step.do("work", lambda ctx: gate.wait())
    await step.do("work", lambda ctx: 1)
    await step.sleep("rest", "1 hour")
    return "done"


async def _paused_story(world: World) -> None:
    for name in ("paused", "resumed", "terminated", "skipped", "busy"):
        await world.create(name, name)
    await world.advance(MINUTE)
    for name in ("paused", "resumed", "terminated", "busy"):
        await world.pause(name)
    await world.advance(MINUTE)
    await world.resume("resumed")
    await world.terminate("terminated")
    await world.control.skip(NAME, "skipped", "rest-1")
    await world.advance(SECOND)


# --- retries


async def _retries(event: Event, step: Step) -> Any:
    what = event["payload"]
    gate = asyncio.Event()
    match what:
        case "retrying":
            await step.do("work", _raising(), LATER)
        case "spent":
            await step.do("work", _raising(), ONCE)
        case "asking":
            await step.do("work", _raising("RangeError"), delay=lambda attempt, error: "1 hour")
        case "final":
            await step.do("work", _raising("NonRetryableError"))
        case _:  # in flight
            await step.do("work", lambda ctx: gate.wait(), {"timeout": "5 minutes"})


async def _retries_story(world: World) -> None:
    for name in ("retrying", "spent", "asking", "final", "slow"):
        await world.create(name, name)
    await world.advance(6 * MINUTE)
    await world.crash_and_boot()
    await world.advance(SECOND)


# --- events


async def _events(event: Event, step: Step) -> Any:
    first = await step.wait_for_event("approval", "go", "1 hour")
    try:
        await step.wait_for_event("second", "go", "1 minute")
    except StepError as error:
        return [first["payload"], error.name]
    return first["payload"]


async def _events_story(world: World) -> None:
    for name in ("ended", "waits", "buffered"):
        await world.create(name)
    await world.send("go", {"n": 1}, "ended")
    await world.send("other", [1, 2], "buffered")
    await world.advance(2 * MINUTE)


# --- restarted


async def _restarted(event: Event, step: Step) -> Any:
    await step.do("first", lambda ctx: 1)
    await step.sleep("rest", "1 minute")
    return await step.do("last", lambda ctx: {"secret": 1}, {"sensitive": "output"})


async def _restarted_story(world: World) -> None:
    for name in ("whole", "from a step"):
        await world.create(name.replace(" ", "-"), {"of": name})
    await world.advance(HOUR)
    await world.restart("whole")
    await world.restart("from-a-step", parse_restart_point({"name": "last"}))
    await world.crash_and_boot()
    await world.advance(SECOND)


FEATURES: dict[str, tuple[Workflow, Story]] = {
    "nested": (_nested, _nested_story),
    "streams": (_streams, _streams_story),
    "rollback": (_rollback, _rollback_story),
    "held": (_charging("charge"), _held_story),
    "paused": (_paused, _paused_story),
    "retries": (_retries, _retries_story),
    "events": (_events, _events_story),
    "restarted": (_restarted, _restarted_story),
}


def told(journal: Journal) -> dict[str, Any]:
    """Return all that is told of the instances of a journal, as JSON; by their ids."""
    found: dict[str, Any] = {}
    for row in journal.every():
        instance = journal.load(row.key)
        log = Log()
        numbered = list(journal.numbered(row.key))
        events = [log.event(number, entry) for number, entry in numbered]
        entries = [entry for _, entry in numbered]
        found[row.id] = {
            "row": [row.workflow, row.created_ms, row.status.value, row.wake_ms, row.ended_ms],
            "detail": report.instance_detail(entries, row.status, "version"),
            "events": [event.as_json(row.id, local=True) for event in events if event],
            "history": export.export(instance, entries),
            "steps": [
                [
                    *(step.key, step.state.value, step.attempts, step.charged, step.due_ms),
                    *(step.timeout_ms, step.delay_ms, step.event_type, step.since_ms, step.line),
                    *(step.parent, step.parent_attempt, step.place[2], step.generation),
                ]
                for step in (*instance.steps.values(), *instance.aside.values())
            ],
        }
    as_json: dict[str, Any] = json.loads(json.dumps(found))
    return as_json


def restore(feature: str, data: Path, path: Path) -> None:
    """Write the journal of a feature, as it was kept, to `path`."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript((data / f"{feature}.sql").read_text(encoding="utf-8"))
    connection.close()


def write(feature: str, data: Path) -> None:
    """Play a feature and keep its journal, and what is told of it."""
    with tempfile.TemporaryDirectory() as folder:
        workflow, story = FEATURES[feature]
        play(Path(folder), workflow, story)
        path = Path(folder) / "journal.sqlite"
        connection = sqlite3.connect(path)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        script = "\n".join([*connection.iterdump(), f"PRAGMA user_version = {version};", ""])
        connection.close()
        journal = Journal.open_to_read(path)
        lines = [f"{json.dumps(name)}: {json.dumps(of)}" for name, of in told(journal).items()]
        journal.close()
    data.mkdir(exist_ok=True)
    (data / f"{feature}.sql").write_text(script, encoding="utf-8")
    (data / f"{feature}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[2:] or FEATURES:
        write(name, Path(sys.argv[1]))
