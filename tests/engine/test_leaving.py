"""What happens to an instance between a save and the moment its run leaves the old code's guest.

A guest that computes hears nothing meanwhile: it is `deaf`, so its runs stay until it hears.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.decide.payloads import received_event
from emulator.engine.guests.blame import Loss
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance_entries import ReceivedEvent
from tests.engine.scripted import Context, Step, StepError, Workflow
from tests.engine.soundness import unsound
from tests.engine.world import CLASS, GRACE_MS, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


async def waits(event: Event, step: Step) -> Any:
    got = await step.wait_for_event("approval", "go", "1 hour")
    return await step.do("ship", lambda ctx: got["payload"])


async def waits_in_a_callback(event: Event, step: Step) -> Any:
    async def outer(ctx: Context) -> Any:
        return (await ctx.step.wait_for_event("approval", "go", "1 hour"))["payload"]

    return await step.do("outer", outer)


def save(world: World, *, deaf: bool = True) -> None:
    """Load new code; the guest before does not hear that its runs are to leave."""
    world.guest.deaf = deaf
    world.load()


async def hear(world: World) -> None:
    for guest in world.guests:
        guest.hear()
    await world.settle()


def test_an_event_that_comes_while_a_run_leaves_is_not_swallowed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        assert world.status() == "waiting"
        save(world)
        await world.send("go", 7)
        await hear(world)

        assert world.output() == 7

    play(tmp_path, waits, story)


def test_an_event_to_a_guest_that_stays_silent_is_not_swallowed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        save(world)
        await world.send("go", 7)
        await world.advance(GRACE_MS)

        assert world.output() == 7

    play(tmp_path, waits, story)


def test_an_event_that_came_while_a_run_left_outlives_a_crash(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        save(world)
        await world.send("go", 7)
        assert unsound(world.journal) == []

        await world.crash_and_boot()

        assert world.output() == 7

    play(tmp_path, waits, story)


def test_an_event_is_not_swallowed_when_the_old_guest_is_lost(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        save(world)
        await world.send("go", 7)
        old = world.guests[-2]
        old.die()
        world.engine.guest_lost(old, Loss("exited with status 3"))
        await world.settle()

        assert world.output() == 7

    play(tmp_path, waits, story)


def test_a_wait_that_times_out_while_its_run_leaves_is_noticed(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.wait_for_event("approval", "go", "1 second")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(SECOND // 2)
        save(world)
        await world.advance(SECOND // 2)
        assert world.status() == "waiting"
        await hear(world)

        assert world.error()[0] == "WorkflowTimeoutError"

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("crash", [False, True])
def test_a_wait_that_is_skipped_while_its_run_leaves_has_ended(tmp_path: Path, crash: bool) -> None:
    async def workflow(event: Event, step: Step) -> str:
        await step.sleep("nap", "1 day")
        return "awake"

    async def story(world: World) -> None:
        await world.create()
        save(world)
        await world.control.skip(NAME, "a")
        assert unsound(world.journal) == []
        if crash:
            await world.crash_and_boot()
        else:
            await hear(world)
        await world.advance(SECOND)

        assert world.output() == "awake"

    play(tmp_path, workflow, story)


def test_an_event_comes_through_to_an_instance_that_was_paused_while_it_left(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        save(world)
        pausing = asyncio.ensure_future(world.control.pause(NAME, "a"))
        await world.settle()
        await world.send("go", 7)
        await hear(world)
        await pausing
        await world.resume()

        assert world.output() == 7

    play(tmp_path, waits, story)


def test_a_callback_in_old_code_still_gets_the_event_it_waits_for(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        save(world, deaf=False)
        await world.settle()
        await world.send("go", 7)
        await world.settle()

        assert world.output() == 7
        assert world.attempts("outer-1") == [1]

    play(tmp_path, waits_in_a_callback, story)


def test_a_callback_in_old_code_still_wakes_from_its_sleep(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        async def outer(ctx: Context) -> str:
            await ctx.step.sleep("nap", GRACE_MS - 1)
            return "awake"

        return str(await step.do("outer", outer))

    async def story(world: World) -> None:
        await world.create()
        save(world, deaf=False)
        await world.advance(GRACE_MS)

        assert world.output() == "awake"
        assert world.attempts("outer-1") == [1]

    play(tmp_path, workflow, story)


def test_a_pause_that_waits_for_a_callback_lets_its_event_through(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        assert world.stands() == "waitingForPause"
        await world.send("go", 7)

        assert world.status() == "paused"
        await world.resume()
        assert world.output() == 7

    play(tmp_path, waits_in_a_callback, story)


def test_a_journal_in_which_an_instance_waits_for_nothing_heals_at_the_start(
    tmp_path: Path,
) -> None:
    """As an earlier version left it: the wait is over, and nothing says that the instance runs."""

    async def story(world: World) -> None:
        await world.create()
        key, now_ms = world.journal.find(NAME, "a"), world.clock.now_ms()
        assert key is not None
        value = received_event("go", now_ms, b"7")
        world.journal.append(
            Entry(key, now_ms, EntryKind.EVENT_RECEIVED, data=ReceivedEvent("go"), value=b"7"),
            Entry(key, now_ms, EntryKind.WAIT_COMPLETE, "waitForEvent:1:approval", value=value),
        )
        assert len(unsound(world.journal)) == 2
        await world.journal.committed()

        await world.crash_and_boot()

        assert world.output() == 7

    play(tmp_path, waits, story)


def test_an_instance_that_waits_for_nothing_is_run_when_its_timer_goes_off(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)  # without a run
        instance = world.engine.roster.instance(world.journal.find(NAME, "a") or 0)
        now_ms = world.clock.now_ms()
        value = received_event("go", now_ms, b"7")
        entries = [
            Entry(
                instance.key, now_ms, EntryKind.EVENT_RECEIVED, data=ReceivedEvent("go"), value=b"7"
            ),
            Entry(
                instance.key,
                now_ms,
                EntryKind.WAIT_COMPLETE,
                "waitForEvent:1:approval",
                0,
                None,
                value,
            ),
        ]
        world.journal.append(*entries)
        await world.advance(HOUR)

        assert world.output() == 7

    play(tmp_path, waits, story)


def test_a_pause_that_waits_for_a_callback_in_a_leaving_run_pauses_once_it_has_ended(
    tmp_path: Path,
) -> None:
    gate = asyncio.Event()

    async def computes(event: Event, step: Step) -> Any:
        async def callback(ctx: Context) -> str:
            await gate.wait()
            return "first"

        first = await step.do("first", callback)
        return [first, await step.do("second", lambda ctx: "second")]

    async def story(world: World) -> None:
        await world.create()
        await world.control.pause(NAME, "a")
        save(world, deaf=False)
        gate.set()
        await world.settle()
        assert world.status() == "paused"

        await world.control.resume(NAME, "a")
        await world.settle()

        assert world.output() == ["first", "second"]
        assert world.attempts("first-1") == [1]

    play(tmp_path, computes, story)


@pytest.mark.parametrize("fails", [False, True])
def test_a_branch_does_not_go_on_in_old_code_while_another_still_executes(
    tmp_path: Path, fails: bool
) -> None:
    quick, slow = asyncio.Event(), asyncio.Event()

    def saved(generation: str, went_on: list[str]) -> Workflow:
        async def workflow(event: Event, step: Step) -> Any:
            async def branch(name: str, gate: asyncio.Event) -> None:
                async def callback(ctx: Context) -> None:
                    await gate.wait()
                    if fails and name == "quick":
                        raise StepError("NonRetryableError", "no")

                with suppress(StepError):
                    await step.do(name, callback)
                went_on.append(f"{name} in {generation}")

            await asyncio.gather(branch("quick", quick), branch("slow", slow))

        return workflow

    went_on: list[str] = []

    async def story(world: World) -> None:
        world.load({CLASS: saved("old", went_on)})
        await world.create()
        world.load({CLASS: saved("new", went_on)})
        await world.settle()
        quick.set()
        await world.settle()
        assert went_on == []
        slow.set()
        await world.settle()

        assert went_on == ["quick in new", "slow in new"]
        assert world.status() == "complete"

    play(tmp_path, waits, story)


@pytest.mark.parametrize("ends", [False, True])
def test_a_guarded_run_that_is_to_leave_is_judged_by_the_code_it_comes_to(
    tmp_path: Path, ends: bool
) -> None:
    """It fits the code that it leaves, which says nothing of the code that serves now."""

    def paying(name: str, last: bool = False) -> Workflow:
        async def workflow(event: Event, step: Step) -> Any:
            await step.do(name, lambda ctx: "paid")
            await step.sleep("settle", "1 hour")
            return None if last else await step.do("ship", lambda ctx: "gone")

        return workflow

    async def story(world: World) -> None:
        world.load({CLASS: paying("charge")})
        await world.create()
        await world.advance(MINUTE)
        world.load({CLASS: paying("charge", last=ends)})
        await world.advance(HOUR - MINUTE - 1)
        world.clock.advance(1)
        while not world.guest.runs:
            await asyncio.sleep(0)
        world.guest.deaf = True
        world.load({CLASS: paying("charge_card")})
        await world.settle()
        await hear(world)  # no time passes: the old guest is not waited for

        assert world.status() == "paused"
        assert world.attempts("charge_card-1") == []

    play(tmp_path, waits, story)


@pytest.mark.parametrize("order", ["pause, save", "save, pause"])
@pytest.mark.parametrize("resumed", ["while the callback runs", "once it has paused"])
def test_an_instance_that_is_paused_around_a_save_goes_on_in_the_new_code(
    tmp_path: Path, order: str, resumed: str
) -> None:
    gate = asyncio.Event()
    went_on: list[str] = []

    def saved(generation: str) -> Workflow:
        async def workflow(event: Event, step: Step) -> Any:
            async def callback(ctx: Context) -> None:
                await gate.wait()

            await step.do("first", callback)
            went_on.append(generation)
            await step.do("second", lambda ctx: None)

        return workflow

    async def story(world: World) -> None:
        world.load({CLASS: saved("old")})
        await world.create()
        for act in order.split(", "):
            if act == "save":
                world.load({CLASS: saved("new")})
            else:
                await world.control.pause(NAME, "a")
            await world.settle()
        assert world.status() == "waitingForPause"

        if resumed == "while the callback runs":
            await world.control.resume(NAME, "a")
            await world.settle()
            gate.set()
            await world.settle()
        else:
            gate.set()
            await world.settle()
            assert (world.status(), went_on) == ("paused", [])
            await world.control.resume(NAME, "a")
            await world.settle()

        assert went_on == ["new"]
        assert world.status() == "complete"
        assert world.attempts("first-1") == [1]

    play(tmp_path, waits, story)
