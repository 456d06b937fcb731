"""A guest that says what no guest says costs itself, and nobody else."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.guard.replay_guard import Guard
from emulator.engine.journal.journal import Journal
from emulator.engine.model.instance import Instance, Status
from emulator.protocol.message import ProtocolError
from emulator.protocol.runs import Replayed, StepBegin
from tests.engine.scripted import Context, Step
from tests.engine.world import NAME, World, play


async def napping(event: Any, step: Step) -> str:
    await step.sleep("nap", "1 hour")
    return "done"


def test_a_step_that_is_begun_twice_breaks_the_protocol(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("one")
        await world.settle()
        run = next(iter(world.engine.roster.runs))
        again = StepBegin(run.number, 99, "sleep", "nap", 1, {"duration": 1000})

        with pytest.raises(ProtocolError, match="begun twice"):
            world.engine.hear(run.guest, again)

    play(tmp_path, napping, story)


def test_a_kind_of_step_that_does_not_exist_breaks_the_protocol(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("one")
        await world.settle()
        run = next(iter(world.engine.roster.runs))

        with pytest.raises(ProtocolError, match="'teleport' is not a kind of step"):
            world.engine.hear(run.guest, StepBegin(run.number, 99, "teleport", "x", 1, {}))

    play(tmp_path, napping, story)


def test_a_callback_that_raises_after_a_commit_does_not_keep_it_from_the_others(
    tmp_path: Path,
) -> None:
    heard: list[sqlite3.Error | None] = []

    def broken(error: sqlite3.Error | None) -> None:
        raise RuntimeError("mine")

    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite")
        journal.new_instance("flow", "one", 0)
        journal.after_commit(broken)
        journal.after_commit(heard.append)
        with pytest.raises(ExceptionGroup):
            journal.end_turn()
        journal.close()

    asyncio.run(main())

    assert heard == [None]


def test_an_id_that_no_instance_can_have_is_not_found(tmp_path: Path) -> None:
    async def main() -> None:
        journal = Journal.open(tmp_path / "journal.sqlite")
        assert journal.find("flow", "\udc80") is None
        journal.close()

    asyncio.run(main())


@pytest.mark.parametrize("damaged", [b'{"$ref": oops', b'{"$ref": "x"}', b'[[1], {"$ref": "x"}]'])
def test_a_malformed_recorded_value_ends_its_instance_only(tmp_path: Path, damaged: bytes) -> None:
    async def poisoned(event: Any, step: Step) -> str:
        def value(ctx: Context) -> str:
            return "harmless"

        await step.do("poison", value)
        await step.sleep("nap", "1 minute")
        return "done"

    async def story(world: World) -> None:
        await world.create("bad")
        await world.create("good")
        await world.settle()
        key = world.journal.find(NAME, "bad")
        await world.journal.committed()
        world.disk.execute(
            "UPDATE entries SET value = ? WHERE instance = ? AND step <> ''", (damaged, key)
        )
        await world.crash_and_boot()
        await world.advance(120_000)

        assert world.status("bad") == Status.ERRORED
        assert world.status("good") == Status.COMPLETE

    play(tmp_path, poisoned, story)


def test_a_message_that_the_engine_cannot_cope_with_ends_its_instance_only(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("bad")
        await world.create("good")
        await world.settle()
        runs = world.engine.roster.runs
        bad = next(run for run in runs if run.instance.id == "bad")

        world.engine.mishap(bad.guest, bad.number, "step_begin could not be handled: KeyError()")
        world.engine.mishap(bad.guest, 999, "of a run that is over")
        await world.advance(2 * 3_600_000)

        assert world.status("bad") == Status.ERRORED
        _, message = world.error("bad")
        assert message == "step_begin could not be handled: KeyError()"
        assert world.status("good") == Status.COMPLETE

    play(tmp_path, napping, story)


@pytest.mark.parametrize(
    ("state", "asked"),
    [
        ("asleep", []),
        ("rested", [["do", "a"]]),
        ("rested", [7]),
        ("rested", [["do", "a", "first", "", 0]]),
        ("rested", [["do", "a", 1, "", 99]]),
        ("rested", [["do", "a", 1, "", [1]]]),
    ],
)
def test_a_replay_that_makes_no_sense_breaks_the_protocol(state: str, asked: list[Any]) -> None:
    guard = Guard(Instance(1, NAME, "a"))

    with pytest.raises(ProtocolError, match=r"replayed\."):
        guard.hear(Replayed(1, state, asked, []))


@pytest.mark.parametrize("number", [1, 0, -1])
def test_a_call_whose_number_is_not_new_breaks_the_protocol(tmp_path: Path, number: int) -> None:
    """Those below 0 are the host's own, for rollback handlers."""

    async def story(world: World) -> None:
        await world.create("one")
        await world.settle()
        run = next(iter(world.engine.roster.runs))
        other = StepBegin(run.number, number, "sleep", "another nap", 1, {"duration": 1000})

        with pytest.raises(ProtocolError, match="not the number of a new call"):
            world.engine.hear(run.guest, other)

    play(tmp_path, napping, story)
