"""Which version of the user's code an instance ran on, as the journal remembers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emulator.engine.model.entries import members_of
from emulator.engine.model.entry_kinds import EntryKind
from tests.engine.scripted import Step
from tests.engine.world import HOUR, MINUTE, World, play

Event = dict[str, Any]


async def sleeper(event: Event, step: Step) -> str:
    await step.do("before", lambda ctx: 1)
    await step.sleep("rest", "1 hour")
    await step.do("after", lambda ctx: 2)
    return "rested"


def recorded(world: World) -> list[tuple[EntryKind, int]]:
    """The generations that instance "a" has in its log."""
    kinds = (EntryKind.WORKFLOW_START, EntryKind.CODE_CHANGED)
    return [(e.kind, members_of(e)["generation"]) for e in world.entries() if e.kind in kinds]


def test_the_generation_is_recorded_once_when_an_instance_starts(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * HOUR)

        assert recorded(world) == [(EntryKind.WORKFLOW_START, 1)]

    play(tmp_path, sleeper, story)


def test_a_run_on_new_code_is_recorded_before_anything_it_does(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        world.load()
        await world.advance(2 * HOUR)

        assert recorded(world) == [(EntryKind.WORKFLOW_START, 1), (EntryKind.CODE_CHANGED, 2)]
        kinds = world.kinds()
        after = [at for at, kind in enumerate(kinds) if kind is EntryKind.STEP_START][1]
        assert kinds.index(EntryKind.CODE_CHANGED) < after

    play(tmp_path, sleeper, story)


def test_the_same_code_in_another_guest_is_the_same_generation(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.code = "abc"
        world.load()
        await world.create()
        world.load()
        world.lose_guest()
        world.load()
        await world.advance(2 * HOUR)

        assert [kind for kind, _ in recorded(world)] == [EntryKind.WORKFLOW_START]

    play(tmp_path, sleeper, story)


def test_generations_keep_their_numbers_when_the_host_is_started_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.settle()
        numbers = []
        for code in ("abc", "def", "abc"):
            world.code = code
            world.load()
            await world.settle()
            numbers.append(world.engine.serving.generation)
        world.code = "def"
        await world.crash_and_boot()
        numbers.append(world.engine.serving.generation)
        world.code = "ghi"
        await world.crash_and_boot()
        numbers.append(world.engine.serving.generation)

        assert numbers == [2, 3, 2, 3, 4]  # the first is the code that the world began with

    play(tmp_path, sleeper, story)


def test_a_generation_whose_commit_failed_is_recorded_with_the_next(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with world.disk.read_only():
            world.code = "new"
            world.load()
            await world.settle()
        await world.advance(MINUTE)
        await world.create()

        known = world.journal.query("SELECT code FROM generations ORDER BY id")
        assert [code for (code,) in known][-1] == "new"

    play(tmp_path, sleeper, story)


def test_the_instance_itself_knows_the_generation_it_last_ran_on(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        key = world.journal.find("orders", "a")
        assert key is not None
        assert world.journal.load(key).generation == 1

        world.load()
        await world.advance(2 * HOUR)

        assert world.journal.load(key).generation == 2

    play(tmp_path, sleeper, story)
