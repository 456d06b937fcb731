"""Who is blamed for a guest that went away: the table, then the engine that goes by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.guests.blame import (
    KILLS_MAX,
    LOSSES_MAX,
    SUSPECTED_AFTER,
    TRIAL_MS,
    Blame,
    Cause,
    Loss,
    Present,
    suspicion,
)
from emulator.engine.model.definition import Definition
from emulator.engine.model.entry_kinds import EntryKind
from emulator.protocol.runs import RunStart
from tests.engine.scripted import Context, Step
from tests.engine.world import (
    CLASS,
    GRACE_MS,
    HOUR,
    MINUTE,
    NAME,
    SECOND,
    World,
    play,
)

Event = dict[str, Any]

A, B, IDLE = Present(1, 11, True), Present(2, 12, True), Present(3, 13, False)
ITSELF, KILLED, ENDED = Loss("x"), Loss("x", Cause.KILLED), Loss("x", Cause.ENDED)


@pytest.mark.parametrize(
    ("present", "loss", "blamed"),
    [
        # who was alone did it
        ([A], ITSELF, {1}),
        ([A, IDLE], ITSELF, {1}),
        ([A], ENDED, {1}),
        # of several nobody knows
        ([A, B], ITSELF, set()),
        ([A, B], ENDED, set()),
        # nor when a request was there too
        ([A], Loss("x", others=True), set()),
        ([A], Loss("x", Cause.ENDED, others=True), set()),
        # unless it is known which run it was
        ([A, B], Loss("x", Cause.ENDED, run=12), {2}),
        ([A, B], Loss("x", Cause.ENDED, run=12, others=True), {2}),
        ([A, B, IDLE], Loss("x", Cause.ENDED, run=13), {3}),
        ([A], Loss("x", Cause.ENDED, run=99), {1}),  # a run that is over
        # a killer from outside, and the host
        ([A], KILLED, set()),
        ([A, B], KILLED, set()),
        ([A], Loss("x", Cause.HOST), set()),
        ([A], Loss("x", Cause.REQUEST, others=True), set()),
        # who only waits has branches that may work
        ([IDLE], ITSELF, {3}),
        ([IDLE], Loss("x", others=True), set()),
        ([], ITSELF, set()),
    ],
)
def test_who_is_to_blame_for_a_first_loss(
    present: list[Present], loss: Loss, blamed: set[int]
) -> None:
    assert Blame().lost(loss, present) == (blamed, set())


@pytest.mark.parametrize("cause", [Cause.HOST, Cause.REQUEST])
def test_what_no_run_did_is_remembered_of_nobody(cause: Cause) -> None:
    blame = Blame()
    for _ in range(10):
        blame.lost(Loss("x", cause), [A])

    assert not blame.is_suspect(1)


def test_those_that_were_there_twice_in_a_row_are_suspects() -> None:
    blame = Blame()
    blame.lost(ITSELF, [A, B])
    assert not blame.is_suspect(1)
    blame.clear(2)  # it got further

    assert blame.lost(ITSELF, [A, B]) == (set(), {1})
    assert blame.is_suspect(1)
    assert not blame.is_suspect(2)


def test_one_that_is_alone_when_killed_again_and_again_is_to_blame() -> None:
    blame = Blame()
    found = [blame.lost(KILLED, [A])[0] for _ in range(KILLS_MAX + 1)]

    assert found == [set()] * KILLS_MAX + [{1}]


def test_only_losses_in_a_row_make_an_instance_hopeless() -> None:
    blame = Blame()
    for _ in range(LOSSES_MAX - 1):
        blame.lost(ITSELF, [A])
    assert not blame.is_hopeless(1)
    blame.lost(ITSELF, [A])
    assert blame.is_hopeless(1)

    blame.clear(1)
    blame.lost(ITSELF, [A])

    assert not blame.is_hopeless(1)


def test_trials_get_longer_when_they_told_nothing() -> None:
    blame = Blame()
    seen = []
    for _ in range(9):
        blame.lost(ITSELF, [A, B])
        seen.append(blame.trial_ms(1))

    assert seen[SUSPECTED_AFTER - 1 : SUSPECTED_AFTER + 2] == [TRIAL_MS, 2 * TRIAL_MS, 4 * TRIAL_MS]
    assert seen[-1] == seen[-2] == 32 * TRIAL_MS


def test_who_was_there_only_when_another_did_it_is_suspected_no_more() -> None:
    blame = Blame()
    other = Present(4, 14, True)
    blame.lost(ITSELF, [other])
    for _ in range(2):
        blame.lost(ITSELF, [A, B, other])
    assert blame.is_suspect(2)

    blame.lost(ITSELF, [A])

    assert (blame.losses(1), blame.losses(2), blame.losses(4)) == (3, 0, 1)


def test_a_person_is_told_of_suspects() -> None:
    assert suspicion(["orders a"]).startswith("orders a: was running each time")
    assert "5 instances" in suspicion([f"orders {n}" for n in range(5)])
    assert "(orders 0, orders 1, orders 2, ...)" in suspicion([f"orders {n}" for n in range(5)])


# --- with the engine


async def forever(ctx: Context) -> None:
    await asyncio.Event().wait()


def gated(gates: dict[str, asyncio.Event]) -> Callable[[Event, Step], Any]:
    """A workflow with one step, which ends when the gate of its instance is opened."""

    async def workflow(event: Event, step: Step) -> Any:
        async def work(ctx: Context) -> int:
            await gates.setdefault(event["instanceId"], asyncio.Event()).wait()
            return ctx.attempt

        return await step.do("work", work, {"retries": {"limit": 1, "delay": 0}})

    return workflow


async def outside(event: Event, step: Step) -> None:
    await asyncio.Event().wait()


async def lose(world: World, times: int = 1, **loss: Any) -> None:
    for _ in range(times):
        serves = world.apart is None
        world.lose_guest(**loss)
        if serves:
            world.load()
        await world.settle()


def test_neighbours_in_flight_are_interrupted_and_not_charged(tmp_path: Path) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)
        await lose(world)

        for name in "abc":
            kinds = world.kinds(name)
            assert EntryKind.ATTEMPT_INTERRUPTED in kinds
            assert EntryKind.ATTEMPT_FAILURE not in kinds
            assert world.attempts("work-1", name) == [1, 2]  # at once, not after a delay

    play(tmp_path, gated(gates), story)


def test_suspects_begin_one_by_one_in_a_guest_apart(tmp_path: Path) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)
        await lose(world, 2)

        assert world.apart is not None
        assert world.apart.runs == 1
        assert world.guest.runs == 0
        assert "3 instances were running each time" in world.reports[-1]

        gates["a"].set()
        await world.settle()
        assert world.status("a") == "complete"
        assert world.apart.runs == 1  # it is the turn of the next
        for name in "bc":
            gates.setdefault(name, asyncio.Event()).set()
        await world.settle()

        assert [world.status(name) for name in "abc"] == ["complete"] * 3
        assert world.apart is None

    play(tmp_path, gated(gates), story)


def test_only_the_one_that_takes_guests_down_is_charged_in_the_end(tmp_path: Path) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        for name in ("bad", "b", "c"):
            await world.create(name)
        await lose(world, 2)
        await lose(world, 2)  # `bad` is alone, and its only retry is used up
        for name in "bc":
            gates.setdefault(name, asyncio.Event()).set()
        await world.settle()
        await world.advance(MINUTE)

        assert world.error("bad")[0] == "WorkflowInternalError"
        assert [world.status(name) for name in "bc"] == ["complete"] * 2
        for name in "bc":
            assert EntryKind.ATTEMPT_FAILURE not in world.kinds(name)

    play(tmp_path, gated(gates), story)


def test_an_instance_that_ends_guests_outside_steps_is_named_and_others_go_on(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        if event["instanceId"] == "bad":
            await asyncio.Event().wait()
        await step.do("long", forever, {"timeout": "1 day"})

    async def story(world: World) -> None:
        await world.create("bad")
        await world.create("good")
        await lose(world, LOSSES_MAX)
        assert (world.apart, world.guest.runs) == (None, 1)  # the good one is suspected no more

        assert world.error("bad") == (
            "WorkflowInternalError",
            f"The worker went away {LOSSES_MAX} times while it ran this instance:"
            " exited with status 3",
        )
        assert world.status("good") == "running"
        assert EntryKind.ATTEMPT_FAILURE not in world.kinds("good")

    play(tmp_path, workflow, story)


def test_a_request_in_flight_may_be_why_so_no_instance_is_charged(tmp_path: Path) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        await world.create()
        await lose(world, 1, others=True)
        await lose(world, 1, others=True)
        assert world.apart is not None  # where there are no requests
        gates["a"].set()
        await world.settle()

        assert world.output() == 3
        assert EntryKind.ATTEMPT_FAILURE not in world.kinds()

    play(tmp_path, gated(gates), story)


@pytest.mark.parametrize("has_read", [False, True])
def test_a_run_that_is_over_may_be_why_until_its_guest_has_read_that(
    tmp_path: Path, has_read: bool
) -> None:
    async def story(world: World) -> None:
        await world.create("bad")
        await world.create("good")
        world.guest.deaf = True
        await world.terminate("bad")
        if has_read:
            world.guest.hear()
            await world.settle()
        await lose(world)

        assert world.status("bad") == "terminated"
        assert (EntryKind.ATTEMPT_FAILURE in world.kinds("good")) == has_read

    play(tmp_path, gated({}), story)


def test_kills_from_outside_use_up_no_retry_up_to_a_limit(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await lose(world, KILLS_MAX, reason="exited with signal 9", cause=Cause.KILLED)
        assert EntryKind.ATTEMPT_FAILURE not in world.kinds()
        assert world.status() == "running"

        await lose(world, 2, reason="exited with signal 9", cause=Cause.KILLED)

        assert "exited with signal 9" in world.error()[1]

    play(tmp_path, gated({}), story)


def test_a_breach_of_the_protocol_is_blamed_on_the_run_it_was_about(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a")
        await world.create("b")
        run = next(start.run for start in world.sent(RunStart) if start.instance == "b")
        await lose(world, 1, cause=Cause.ENDED, run=run)

        assert EntryKind.ATTEMPT_FAILURE in world.kinds("b")
        assert EntryKind.ATTEMPT_FAILURE not in world.kinds("a")

    play(tmp_path, gated({}), story)


def test_what_the_host_did_never_counts(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await lose(world, 2 * LOSSES_MAX, cause=Cause.HOST)

        assert world.status() == "running"
        assert world.apart is None

    play(tmp_path, outside, story)


def test_a_suspect_that_takes_long_does_not_keep_the_next_one_waiting_for_ever(
    tmp_path: Path,
) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        for name in "ab":
            await world.create(name)
        await lose(world, 2)
        assert world.apart is not None
        assert world.apart.runs == 1
        await world.advance(TRIAL_MS)
        assert world.apart.runs == 2

        await lose(world, 1)  # and nobody knows which of the two
        assert EntryKind.ATTEMPT_FAILURE not in world.kinds("a") + world.kinds("b")
        assert world.apart.runs == 1
        await world.advance(TRIAL_MS)
        assert world.apart.runs == 1  # the second trial is longer

    play(tmp_path, gated(gates), story)


def test_other_code_ends_all_suspicion(tmp_path: Path) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)
        await lose(world, 2)
        apart = world.apart
        assert apart is not None
        world.code = "other"
        world.load()
        await world.advance(GRACE_MS)

        assert world.apart is None
        assert apart.runs == 0
        assert world.guest.runs == 3

    play(tmp_path, gated(gates), story)


def test_the_guest_that_serves_may_be_lost_without_disturbing_the_one_apart(
    tmp_path: Path,
) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        await world.create()
        await lose(world, 2, others=True)
        apart = world.apart
        assert apart is not None
        world.load()  # the same code, as after a loss
        await world.advance(GRACE_MS)
        assert (apart.runs, world.apart) == (1, apart)
        gates["a"].set()
        await world.settle()

        assert world.status() == "complete"

    play(tmp_path, gated(gates), story)


@pytest.mark.parametrize("deed", ["pause", "terminate", "delete", "restart"])
def test_users_may_act_on_a_suspect_that_waits_for_its_turn(tmp_path: Path, deed: str) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        for name in "ab":
            await world.create(name)
        await lose(world, 2)
        await getattr(world, deed)("b")
        for name in "ab":
            gates.setdefault(name, asyncio.Event()).set()
        await world.advance(MINUTE)
        if deed == "pause":
            assert world.status("b") == "paused"
            await world.resume("b")
        ends = {"terminate": "terminated"}

        assert world.status("a") == "complete"
        assert deed == "delete" or world.status("b") == ends.get(deed, "complete")
        assert not world.engine.roster.queued
        assert not world.engine.in_flight()

    play(tmp_path, gated(gates), story)


def test_a_suspect_takes_a_place_of_its_workflow_as_ever(tmp_path: Path) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        for name in "abc":
            await world.create(name)
        await lose(world, 2)
        for _ in range(3):
            await world.advance(SECOND)
            open_gates = [gates[name] for name in "abc" if name in gates]
            assert world.engine.roster.check().seats <= 2
            for gate in open_gates:
                gate.set()
        await world.advance(HOUR)

        assert [world.status(name) for name in "abc"] == ["complete"] * 3

    play(tmp_path, gated(gates), story, definitions=[Definition(NAME, CLASS, concurrency=2)])


def test_suspects_wait_when_no_guest_can_be_brought_up_and_go_on_later(tmp_path: Path) -> None:
    gates: dict[str, asyncio.Event] = {}

    async def story(world: World) -> None:
        asked: list[None] = []
        world.engine.apart.open = lambda: asked.append(None)
        await world.create()
        await lose(world, 2, others=True)
        assert len(asked) == 1
        assert world.engine.in_flight()

        world.engine.apart.open = world.open_apart
        world.engine.apart.failed()
        await world.settle()
        gates["a"].set()
        await world.settle()

        assert world.status() == "complete"

    play(tmp_path, gated(gates), story)
