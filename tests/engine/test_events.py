"""Events: who gets which, when they may come, and how long is waited for them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.model.entry_kinds import EntryKind
from emulator.errors import WorkerError
from tests.engine.scripted import Step, StepError
from tests.engine.world import DAY, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


async def waits_once(event: Event, step: Step) -> Any:
    return (await step.wait_for_event("answer", "answer"))["payload"]


async def waits_an_hour(event: Event, step: Step) -> Any:
    try:
        return (await step.wait_for_event("answer", "answer", "1 hour"))["payload"]
    except StepError as error:
        return f"{error.name}: {error.message}"


async def two_branches(event: Event, step: Step) -> list[Any]:
    async def branch(name: str) -> Any:
        return (await step.wait_for_event(name, "answer"))["payload"]

    return list(await asyncio.gather(branch("older"), branch("younger")))


def test_an_event_goes_to_the_step_that_waits(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return await step.wait_for_event("the answer", "answer")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        received_at = datetime.fromtimestamp(world.clock.now_ms() / 1000, UTC)
        await world.send("answer", {"ok": True})

        assert world.output() == {
            "payload": {"ok": True},
            "timestamp": received_at,
            "type": "answer",
        }

    play(tmp_path, workflow, story)


def test_an_event_sent_before_the_wait_is_kept_for_it(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        await step.sleep("first", "1 hour")
        return (await step.wait_for_event("answer", "answer"))["payload"]

    async def story(world: World) -> None:
        await world.create()
        await world.send("answer", 42)
        await world.advance(HOUR)

        assert world.output() == 42

    play(tmp_path, workflow, story)


def test_an_event_sent_while_a_callback_runs_is_kept_for_the_wait(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> Any:
        await step.do("slow", lambda ctx: gate.wait())
        return (await step.wait_for_event("answer", "answer"))["payload"]

    async def story(world: World) -> None:
        await world.create()
        await world.send("answer", 42)
        gate.set()
        await world.settle()

        assert world.output() == 42

    play(tmp_path, workflow, story)


def test_events_of_a_type_are_received_in_the_order_sent(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> list[Any]:
        await step.sleep("first", "1 hour")
        return [(await step.wait_for_event("next", "n"))["payload"] for _ in range(12)]

    async def story(world: World) -> None:
        await world.create()
        for number in range(12):
            await world.send("n", number)
        await world.advance(HOUR)

        assert world.output() == list(range(12))

    play(tmp_path, workflow, story)


def test_an_event_of_another_type_is_not_taken(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.send("Answer", 1)

        assert world.status() == "waiting"

    play(tmp_path, waits_once, story)


def test_the_step_that_waits_longest_gets_the_event(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.send("answer", "first")
        await world.send("answer", "second")

        assert world.output() == ["first", "second"]

    play(tmp_path, two_branches, story)


def test_one_event_satisfies_one_of_two_waits(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.send("answer", 1)
        await world.advance(MINUTE)

        assert world.status() == "waiting"
        assert world.kinds().count(EntryKind.WAIT_COMPLETE) == 1

    play(tmp_path, two_branches, story)


def test_the_longest_wait_is_still_first_after_a_crash(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        await world.crash_and_boot()
        await world.send("answer", "first")
        await world.crash_and_boot()
        await world.send("answer", "second")

        assert world.output() == ["first", "second"]

    play(tmp_path, two_branches, story)


def test_without_a_timeout_a_wait_lasts_24_hours(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY - 1)
        assert world.status() == "waiting"

        await world.advance(1)

        assert world.error() == (
            "WorkflowTimeoutError",
            "Execution timed out after 86400000ms",
        )

    play(tmp_path, waits_once, story)


def test_a_wait_that_timed_out_can_be_caught(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.output() == "WorkflowTimeoutError: Execution timed out after 3600000ms"

    play(tmp_path, waits_an_hour, story)


def test_a_wait_that_timed_out_does_not_swallow_the_next_event(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        try:
            await step.wait_for_event("early", "answer", "1 hour")
        except StepError:
            return (await step.wait_for_event("late", "answer", "1 hour"))["payload"]
        raise AssertionError

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR + MINUTE)
        await world.send("answer", 42)

        assert world.output() == 42

    play(tmp_path, workflow, story)


def test_a_wait_whose_time_passed_while_the_host_was_down_gets_no_later_event(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.crash()
        world.clock.advance(2 * HOUR)
        world.boot()
        await world.send("answer", "too late")

        assert world.output() == "WorkflowTimeoutError: Execution timed out after 3600000ms"

    play(tmp_path, waits_an_hour, story)


def test_a_timeout_keeps_its_deadline_through_a_crash(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(40 * MINUTE)
        await world.crash_and_boot()
        await world.advance(20 * MINUTE - 1)
        assert world.status() == "waiting"

        await world.advance(1)

        assert world.status() == "complete"

    play(tmp_path, waits_an_hour, story)


def test_an_event_for_a_dropped_run_starts_it_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        assert world.guest.runs == 0

        await world.send("answer", 42)

        assert world.output() == 42

    play(tmp_path, waits_once, story)


def test_an_event_that_came_while_no_guest_was_there_is_not_lost_by_a_crash(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.crash()
        world.boot(guest=False)
        await world.send("answer", 42)
        await world.crash_and_boot()

        assert world.output() == 42

    play(tmp_path, waits_once, story)


def test_an_event_sent_while_paused_is_received_after_resume(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        await world.send("answer", 42)
        assert world.status() == "paused"

        await world.resume()

        assert world.output() == 42

    play(tmp_path, waits_once, story)


def test_events_sent_while_paused_are_received_after_resume_without_a_guest(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        world.lose_guest()
        await world.send("answer", 1)
        await world.send("answer", 2)
        await world.resume()
        world.load()
        await world.settle()

        assert world.output() == [1, 2]

    play(tmp_path, two_branches, story)


def test_time_spent_paused_does_not_count_for_a_timeout(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(50 * MINUTE)
        await world.pause()
        await world.advance(DAY)
        await world.resume()
        await world.advance(10 * MINUTE - 1)
        assert world.status() == "waiting"

        await world.advance(1)

        assert world.status() == "complete"

    play(tmp_path, waits_an_hour, story)


def test_an_event_to_a_queued_instance_is_kept(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.lose_guest()
        await world.create()
        await world.send("answer", 42)
        assert world.status() == "queued"

        world.load()
        await world.settle()

        assert world.output() == 42

    play(tmp_path, waits_once, story)


def test_an_event_to_a_finished_instance_is_refused(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None: ...

    async def story(world: World) -> None:
        await world.create()

        with pytest.raises(WorkerError, match=r"^\(instance.in_finite_state\) Instance reached"):
            await world.send("answer")

    play(tmp_path, workflow, story)


def test_an_event_to_an_unknown_instance_is_refused(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match=r"\(instance.not_found\)"):
            await world.send("answer", instance="nobody")

    play(tmp_path, waits_once, story)


BAD_EVENT_TYPES = ["", "a b", "-a", "x" * 101, "é", "order.paid", "../a", "a\n"]


@pytest.mark.parametrize("event_type", BAD_EVENT_TYPES)
def test_a_bad_event_type_is_refused_by_send_event(tmp_path: Path, event_type: str) -> None:
    async def story(world: World) -> None:
        await world.create()

        with pytest.raises(WorkerError, match=r"\) Provided event type is invalid$"):
            await world.send(event_type)

    play(tmp_path, waits_once, story)


@pytest.mark.parametrize("timeout", ["999 ms", 999, "366 days", "soon"])
def test_a_bad_timeout_names_the_step(tmp_path: Path, timeout: Any) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.wait_for_event("answer", "answer", timeout)

    async def story(world: World) -> None:
        await world.create()

        assert world.error()[1].startswith('step "answer": timeout is ')

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("event_type", [*BAD_EVENT_TYPES, None, 7])
def test_a_bad_event_type_is_refused_by_wait_for_event(tmp_path: Path, event_type: Any) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.wait_for_event("answer", event_type)

    async def story(world: World) -> None:
        await world.create()

        assert world.error()[1].startswith('step "answer": the event type is ')

    play(tmp_path, workflow, story)


def test_two_events_in_one_turn_go_to_two_waits_of_a_dropped_run(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        await asyncio.gather(
            world.control.send_event(NAME, "a", "answer", b"1"),
            world.control.send_event(NAME, "a", "answer", b"2"),
        )
        await world.settle()

        assert world.output() == [1, 2]

    play(tmp_path, two_branches, story)


def test_an_event_and_its_delivery_are_one_transaction(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(SECOND * 2)
        commits: list[list[EntryKind]] = []
        world.journal.on_commit = lambda entries: commits.append([e.kind for e in entries])
        await world.control.send_event(NAME, "a", "answer", b"1")

        assert commits[0][:2] == [EntryKind.EVENT_RECEIVED, EntryKind.WAIT_COMPLETE]

    play(tmp_path, waits_once, story)
