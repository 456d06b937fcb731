"""Steps called in callbacks: each call gets its own result, whoever else calls the same name."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from emulator.clock import VirtualClock
from emulator.engine.guard.replay_guard import Guard
from emulator.engine.model.divergence import Policy
from emulator.engine.model.entries import members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance
from emulator.engine.model.instance_entries import RestartPoint
from emulator.engine.views import export, report
from emulator.protocol.message import ProtocolError
from emulator.protocol.runs import StepBegin
from tests.engine.scripted import Context, Step, StepError, Undo, Workflow
from tests.engine.world import CLASS, GRACE_MS, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]
AT_ONCE = {"retries": {"limit": 3, "delay": 0}}
LATER = {"retries": {"limit": 3, "delay": "1 hour", "backoff": "constant"}}
ONCE = {"retries": {"limit": 0, "delay": 0}}

Interruption = Callable[[World], Awaitable[None]]


async def kill_host(world: World) -> None:
    await world.crash_and_boot()


async def kill_guest(world: World) -> None:
    world.lose_guest()
    world.load()
    await world.settle()


async def save(world: World) -> None:
    world.load()
    await world.advance(GRACE_MS + SECOND)


async def nothing(world: World) -> None:
    await world.settle()


interruptions = pytest.mark.parametrize("interrupt", [nothing, kill_host, kill_guest, save])


class Shop:
    """Counts what it does. `charge` is the helper that several steps call."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.gate = asyncio.Event()

    def charge(self, step: Step, who: str, name: str = "charge") -> asyncio.Future[Any]:
        return step.do(name, lambda ctx: self.does(who))

    def does(self, who: str) -> str:
        self.done[who] += 1
        return f"{who} {self.done[who]}"

    def order(self, step: Step, who: str, config: Any = AT_ONCE) -> asyncio.Future[Any]:
        """A step that charges, and then takes as long as the gate is shut."""

        async def body(ctx: Context) -> Any:
            charged = await self.charge(ctx.step, who)
            await self.gate.wait()
            return charged

        return step.do(f"order {who}", body, config)


def test_after_a_replay_each_parent_has_the_result_of_its_own_child(tmp_path: Path) -> None:
    shop = Shop()
    shop.gate.set()

    async def workflow(event: Event, step: Step) -> Any:
        first = await shop.order(step, "A")
        await step.sleep("cool down", "1 hour")
        return [first, await shop.order(step, "B")]

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.output() == ["A 1", "B 1"]
        assert shop.done == {"A": 1, "B": 1}

    play(tmp_path, workflow, story)


@interruptions
@pytest.mark.parametrize("free_steps", [True, False])
def test_in_flight_one_after_the_other(
    tmp_path: Path, interrupt: Interruption, free_steps: bool
) -> None:
    shop = Shop()

    async def workflow(event: Event, step: Step) -> Any:
        first = await step.do("order A", lambda ctx: shop.charge(ctx.step, "A"))
        return [first, await shop.order(step, "B"), await shop.charge(step, "C")]

    async def story(world: World) -> None:
        await world.create()
        await interrupt(world)
        shop.gate.set()
        await world.advance(MINUTE)

        assert world.output() == ["A 1", "B 1", "C 1"]
        assert shop.done == {"A": 1, "B": 1, "C": 1}

    play(tmp_path, workflow, story, free_steps=free_steps)


@interruptions
@pytest.mark.parametrize("free_steps", [True, False])
def test_in_flight_in_a_gather(tmp_path: Path, interrupt: Interruption, free_steps: bool) -> None:
    shop = Shop()

    async def workflow(event: Event, step: Step) -> Any:
        quick = step.do("order A", lambda ctx: shop.charge(ctx.step, "A"))
        slow = [shop.order(step, who) for who in "BC"]
        return await asyncio.gather(quick, shop.charge(step, "D"), *slow)

    async def story(world: World) -> None:
        await world.create()
        await interrupt(world)
        shop.gate.set()
        await world.advance(MINUTE)

        assert world.output() == ["A 1", "D 1", "B 1", "C 1"]
        assert shop.done == dict.fromkeys("ABCD", 1)

    play(tmp_path, workflow, story, free_steps=free_steps)


@interruptions
def test_three_levels_deep(tmp_path: Path, interrupt: Interruption) -> None:
    shop = Shop()

    async def workflow(event: Event, step: Step) -> Any:
        async def outer(who: str, waits: bool, ctx: Context) -> Any:
            async def middle(part: str, ctx: Context) -> Any:
                first = await shop.charge(ctx.step, f"{who}{part}1")
                if waits:
                    await shop.gate.wait()
                return [first, await shop.charge(ctx.step, f"{who}{part}2")]

            parts = [await ctx.step.do("part", partial(middle, part), AT_ONCE) for part in "xy"]
            return [*parts, await shop.charge(ctx.step, who)]

        first = await step.do("A", partial(outer, "A", False))
        return [first, await step.do("B", partial(outer, "B", True), AT_ONCE)]

    async def story(world: World) -> None:
        await world.create()
        await interrupt(world)
        shop.gate.set()
        await world.advance(MINUTE)

        assert world.output() == [
            [[f"{who}x1 1", f"{who}x2 1"], [f"{who}y1 1", f"{who}y2 1"], f"{who} 1"] for who in "AB"
        ]
        assert set(shop.done.values()) == {1}

    play(tmp_path, workflow, story)


# --- attempts of the parent


def looping(shop: Shop, config: Any) -> Workflow:
    """One step that charges three times; its first two attempts fail after the second time."""

    async def workflow(event: Event, step: Step) -> Any:
        async def body(ctx: Context) -> Any:
            charged = []
            for who in "ABC":
                charged.append(await shop.charge(ctx.step, who))
                if who == "B" and ctx.attempt < 3:
                    raise StepError("Error", "not yet")
            return charged

        return await step.do("all", body, config)

    return workflow


@pytest.mark.parametrize("config", [AT_ONCE, LATER], ids=["same run", "another run"])
def test_a_retried_parent_gets_what_its_children_have_done_in_order(
    tmp_path: Path, config: Any
) -> None:
    shop = Shop()

    async def story(world: World) -> None:
        await world.create()
        await world.advance(3 * HOUR)

        assert world.output() == ["A 1", "B 1", "C 1"]
        assert shop.done == {"A": 1, "B": 1, "C": 1}

    play(tmp_path, looping(shop, config), story)


@pytest.mark.parametrize("config", [AT_ONCE, LATER], ids=["same run", "another run"])
def test_a_child_that_failed_is_tried_again_with_its_parent(tmp_path: Path, config: Any) -> None:
    tried: list[int] = []

    async def workflow(event: Event, step: Step) -> Any:
        def child(ctx: Context) -> str:
            tried.append(ctx.attempt)
            if len(tried) < 3:
                raise StepError("Error", "declined")
            return "charged"

        async def body(ctx: Context) -> Any:
            return await ctx.step.do("charge", child, ONCE)

        return await step.do("order", body, config)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(3 * HOUR)

        assert (world.output(), tried) == ("charged", [1, 1, 1])
        assert [world.attempts(f"charge-{n}") for n in (1, 2, 3)] == [[1], [1], [1]]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("interrupt", [kill_host, save])
def test_what_an_attempt_that_was_cut_off_has_seen_fail_has_failed(
    tmp_path: Path, interrupt: Interruption
) -> None:
    shop = Shop()
    tried: list[int] = []

    async def workflow(event: Event, step: Step) -> Any:
        def child(ctx: Context) -> None:
            tried.append(ctx.attempt)
            raise StepError("Error", "declined")

        async def body(ctx: Context) -> str:
            try:
                await ctx.step.do("charge", child, ONCE)
            except StepError as error:
                await shop.gate.wait()
                return error.message
            return "charged"

        return await step.do("order", body)

    async def story(world: World) -> None:
        await world.create()
        await interrupt(world)
        shop.gate.set()
        await world.settle()

        assert (world.output(), tried) == ("declined", [1])

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("ends", ["before the next attempt", "during the next attempt"])
def test_a_child_in_flight_when_its_parent_fails_is_done_once(tmp_path: Path, ends: str) -> None:
    shop = Shop()

    async def workflow(event: Event, step: Step) -> Any:
        async def slow(ctx: Context) -> str:
            await shop.gate.wait()
            return shop.does("charge")

        async def body(ctx: Context) -> Any:
            charged = ctx.step.do("charge", slow)
            if ctx.attempt == 1:
                raise StepError("Error", "out of stock")
            return await charged

        return await step.do("order", body, {"retries": {"limit": 1, "delay": 500}})

    async def story(world: World) -> None:
        await world.create()
        if ends == "before the next attempt":
            shop.gate.set()
        await world.advance(SECOND)
        shop.gate.set()
        await world.settle()

        assert world.output() == "charge 1"
        assert world.attempts("charge-1") == [1]

    play(tmp_path, workflow, story)


def test_a_child_that_fails_between_two_attempts_of_its_parent_is_tried_again(
    tmp_path: Path,
) -> None:
    shop = Shop()
    tried: list[int] = []

    async def workflow(event: Event, step: Step) -> Any:
        async def child(ctx: Context) -> str:
            tried.append(ctx.attempt)
            if len(tried) == 1:
                await shop.gate.wait()
                raise StepError("Error", "declined")
            return "charged"

        async def body(ctx: Context) -> Any:
            charged = ctx.step.do("charge", child, ONCE)
            if ctx.attempt == 1:
                raise StepError("Error", "out of stock")
            return await charged

        return await step.do("order", body, {"retries": {"limit": 1, "delay": 500}})

    async def story(world: World) -> None:
        await world.create()
        shop.gate.set()
        await world.advance(SECOND)

        assert (world.output(), tried) == ("charged", [1, 1])

    play(tmp_path, workflow, story)


def test_an_attempt_that_timed_out_and_goes_on_shares_its_children(tmp_path: Path) -> None:
    shop = Shop()
    got: list[tuple[int, Any]] = []

    async def workflow(event: Event, step: Step) -> Any:
        async def body(ctx: Context) -> Any:
            if ctx.attempt == 1:
                await asyncio.wait([asyncio.ensure_future(shop.gate.wait())])
            for who in "AB":
                got.append((ctx.attempt, await shop.charge(ctx.step, who)))
            return got[-1][1]

        return await step.do(
            "order", body, {"timeout": "1 minute", "retries": {"limit": 1, "delay": 500}}
        )

    async def story(world: World) -> None:
        await world.create()
        await world.advance(MINUTE)
        shop.gate.set()
        await world.advance(SECOND)

        assert world.output() == "B 1"
        assert shop.done == {"A": 1, "B": 1}

    play(tmp_path, workflow, story)


# --- sleeps and events


@interruptions
def test_sleeps_of_one_name_each_take_their_own_time(
    tmp_path: Path, interrupt: Interruption
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        async def body(ctx: Context) -> None:
            await ctx.step.sleep("rest", "1 hour")

        for who in "AB":
            await step.do(who, body, {"timeout": "1 day", **AT_ONCE})
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        began_ms = world.clock.now_ms()
        await world.create()
        await world.advance(HOUR + MINUTE)  # in B's
        await interrupt(world)
        await world.advance(3 * HOUR)

        assert world.status() == "complete"
        assert world.entries()[-1].at_ms == began_ms + 3 * HOUR

    play(tmp_path, workflow, story)


@interruptions
def test_each_event_goes_to_one_wait_of_a_name(tmp_path: Path, interrupt: Interruption) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        async def body(ctx: Context) -> Any:
            got = await ctx.step.wait_for_event("approval", "go")
            again = await ctx.step.wait_for_event("approval", "go")
            return [got["payload"], again["payload"]]

        done = [await step.do(who, body, {"timeout": "1 day", **AT_ONCE}) for who in "AB"]
        return [*done, (await step.wait_for_event("approval", "go"))["payload"]]

    async def story(world: World) -> None:
        await world.create()
        for number in range(5):
            await world.send("go", number)
            await interrupt(world)
        await world.advance(MINUTE)

        assert world.output() == [[0, 1], [2, 3], 4]

    play(tmp_path, workflow, story)


def test_a_wait_that_nobody_can_ask_for_any_more_takes_no_event(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        async def body(ctx: Context) -> None:
            await ctx.step.wait_for_event("approval", "go", "1 day")

        try:
            await step.do("ask", body, {"timeout": "1 minute", **ONCE})
        except StepError:
            return (await step.wait_for_event("second approval", "go"))["payload"]

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * MINUTE)
        await world.send("go", "yes")

        assert world.output() == "yes"

    play(tmp_path, workflow, story)


# --- dependencies: all callers get the same result


@interruptions
@pytest.mark.parametrize("last", ["callback", "run"])
def test_a_dependency_that_callbacks_share_is_executed_once(
    tmp_path: Path, interrupt: Interruption, last: str
) -> None:
    shop = Shop()

    async def workflow(event: Event, step: Step) -> Any:
        memory: dict[str, Any] = {}  # of this run, as the SDK has it

        async def load(step: Step) -> Any:
            if not memory:
                memory["load"] = await step.do("load", lambda ctx: shop.does("load"), shared=1)
            return memory["load"]

        async def own(ctx: Context) -> Any:  # not the dependency, only its name
            return await ctx.step.do("load", lambda ctx: shop.does("own"))

        done = [await step.do("A", lambda ctx: load(ctx.step)), await step.do("B", own)]
        await step.sleep("rest", "1 minute")
        if last == "run":
            return [*done, await load(step)]
        return [*done, await step.do("C", lambda ctx: load(ctx.step))]

    async def story(world: World) -> None:
        await world.create()
        await interrupt(world)
        await world.advance(2 * MINUTE)

        assert world.output() == ["load 1", "own 1", "load 1"]
        assert shop.done == {"load": 1, "own": 1}

    play(tmp_path, workflow, story)


def test_a_dependency_that_run_has_asked_for_is_what_a_callback_gets(tmp_path: Path) -> None:
    shop = Shop()

    async def workflow(event: Event, step: Step) -> Any:
        first = await step.do("load", lambda ctx: shop.does("load"), shared=1)
        await step.sleep("rest", "1 minute")

        async def body(ctx: Context) -> Any:
            return await ctx.step.do("load", lambda ctx: shop.does("load"), shared=1)

        return [first, await step.do("A", body)]

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * MINUTE)

        assert world.output() == ["load 1", "load 1"]

    play(tmp_path, workflow, story)


def test_a_shared_dependency_that_failed_is_tried_again(tmp_path: Path) -> None:
    tried: list[int] = []

    async def workflow(event: Event, step: Step) -> Any:
        def load(ctx: Context) -> str:
            tried.append(ctx.attempt)
            if len(tried) == 1:
                raise StepError("Error", "not there")
            return "loaded"

        async def body(ctx: Context) -> Any:
            return await ctx.step.do("load", load, ONCE, shared=1)

        return await step.do("A", body, LATER)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * HOUR)

        assert (world.output(), tried) == ("loaded", [1, 1])

    play(tmp_path, workflow, story)


# --- rollback


@pytest.mark.parametrize("retried", [False, True])
def test_each_nested_handler_undoes_its_own_step(tmp_path: Path, retried: bool) -> None:
    undone: list[tuple[str, str, Any]] = []
    shop = Shop()

    async def workflow(event: Event, step: Step) -> None:
        def undo(who: str, undo: Undo) -> None:
            undone.append((who, undo.step, undo.output))

        async def body(who: str, ctx: Context) -> None:
            work = partial(lambda who, ctx: shop.does(who), who)
            await ctx.step.do("charge", work, rollback=partial(undo, who))
            if retried and ctx.attempt == 1:
                raise StepError("Error", "not yet")

        for who in "AB":
            await step.do(who, partial(body, who), AT_ONCE)
        await step.do("charge", lambda ctx: shop.does("C"), rollback=partial(undo, "C"))
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()

        assert undone == [
            *(("C", "charge-3", "C 1"), ("B", "charge-2", "B 1")),
            ("A", "charge-1", "A 1"),
        ]
        assert world.rollback()["outcome"] == "complete"

    play(tmp_path, workflow, story)


def test_after_a_crash_the_handler_of_run_itself_is_not_taken_for_a_nested_one(
    tmp_path: Path,
) -> None:
    undone: list[str] = []

    async def workflow(event: Event, step: Step) -> None:
        def undo(undo: Undo) -> None:
            undone.append(undo.step)

        await step.do("A", lambda ctx: ctx.step.do("charge", lambda ctx: 1))
        await step.do("charge", lambda ctx: 2, rollback=undo)
        await step.sleep("rest", "1 hour")
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()
        await world.crash_and_boot()
        await world.advance(HOUR)

        assert undone == ["charge-2"]
        assert world.rollback()["outcome"] == "complete"

    play(tmp_path, workflow, story)


# --- what users do with it


def two_orders(shop: Shop, name: str = "charge") -> Workflow:
    async def workflow(event: Event, step: Step) -> Any:
        async def body(who: str, ctx: Context) -> Any:
            charged = await shop.charge(ctx.step, who, name)
            if who == "B" and ctx.attempt == 1:
                raise StepError("Error", "not yet")
            return charged

        first = await step.do("order A", partial(body, "A"))
        second = await step.do("order B", partial(body, "B"), LATER)
        return [first, second, await shop.charge(step, "C", name)]

    return workflow


def test_labels_are_unambiguous_and_tell_each_its_own_output(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * HOUR)

        steps = report.instance_detail(world.entries(), world.stands(), "v")["steps"]
        outputs = {step["name"]: step["output"] for step in steps}
        assert outputs == {
            **{"order A-1": "A 1", "charge-1": "A 1"},
            **{"order B-1": "B 1", "charge-2": "B 1"},
            "charge-3": "C 1",
        }

    play(tmp_path, two_orders(Shop()), story)


@pytest.mark.parametrize(
    ("point", "again"),
    [
        (RestartPoint("order B"), {"A": 1, "B": 2, "C": 2}),
        (RestartPoint("charge", 3), {"A": 1, "B": 1, "C": 2}),
        (RestartPoint("order A"), {"A": 2, "B": 2, "C": 2}),
    ],
)
def test_a_restart_from_a_step_keeps_what_came_before_it(
    tmp_path: Path, point: RestartPoint, again: dict[str, int]
) -> None:
    shop = Shop()

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * HOUR)
        await world.restart(start=point)
        await world.advance(2 * HOUR)

        assert world.output() == [f"{who} {again[who]}" for who in "ABC"]
        assert shop.done == again

    play(tmp_path, two_orders(shop), story)


def test_a_nested_step_can_be_renamed_where_another_has_that_name(tmp_path: Path) -> None:
    shop = Shop()

    async def workflow(name: str, event: Event, step: Step) -> Any:
        async def body(ctx: Context) -> Any:
            charged = [await shop.charge(ctx.step, who, name) for who in "BC"]
            if ctx.attempt == 1:
                raise StepError("Error", "not yet")
            return charged

        async def other(ctx: Context) -> Any:
            return await shop.charge(ctx.step, "A", "charge card")

        return [await step.do("A", other), await step.do("B", body, LATER)]

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: partial(workflow, "charge card")})
        await world.advance(2 * HOUR)
        assert world.status() == "paused"

        await world.control.resume_held(NAME, "a", renames={"charge": "charge card"})
        await world.settle()
        assert world.output() == ["A 1", ["B 1", "C 1"]]
        assert shop.done == {"A": 1, "B": 1, "C": 1}
        _check_export(world)

    play(tmp_path, partial(workflow, "charge"), story)


def test_children_follow_a_parent_that_is_renamed(tmp_path: Path) -> None:
    shop = Shop()

    async def workflow(name: str, event: Event, step: Step) -> Any:
        async def body(who: str, ctx: Context) -> Any:
            charged = await shop.charge(ctx.step, who)
            if who == "B":
                await shop.gate.wait()
            return charged

        return [
            await step.do("A", partial(body, "A"), AT_ONCE),
            await step.do(name, partial(body, "B"), AT_ONCE),
        ]

    async def story(world: World) -> None:
        await world.create()
        await world.crash_and_boot(guest=False)
        world.load({CLASS: partial(workflow, "order")})
        await world.settle()
        assert world.status() == "paused"

        await world.control.resume_held(NAME, "a", renames={"B": "order"})
        shop.gate.set()
        await world.settle()
        assert world.output() == ["A 1", "B 1"]
        assert shop.done == {"A": 1, "B": 1}
        _check_export(world)

    play(tmp_path, partial(workflow, "B"), story)


def _check_export(world: World) -> None:
    """What is exported and read again has every step at the same place."""
    instance = world.engine.roster.instance(1)
    document = export.export(instance, world.entries())
    read = export.parse_history(json.dumps(document), "it")

    def steps(of: Instance) -> list[tuple[Any, ...]]:
        return [(each.key, each.parent, each.place, each.state) for each in of.steps.values()]

    assert steps(read) == steps(instance)


# --- the guard


def test_the_guard_does_not_take_nested_steps_for_those_of_run(tmp_path: Path) -> None:
    """New code calls once more at top level what only a nested step was called before."""
    shop = Shop()

    async def before(event: Event, step: Step) -> Any:
        first = await step.do("A", lambda ctx: shop.charge(ctx.step, "A"))
        await step.sleep("rest", "1 hour")
        return [first]

    async def after(event: Event, step: Step) -> Any:
        return [*await before(event, step), await shop.charge(step, "B")]

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: after})
        await world.advance(HOUR)

        assert world.output() == ["A 1", "B 1"]

    play(tmp_path, before, story)


def test_a_replay_fits_once_all_that_run_itself_called_is_asked_for(tmp_path: Path) -> None:
    """What only a callback has called is never asked for in a replay of `run()`."""
    shop = Shop()

    async def workflow(event: Event, step: Step) -> None:
        await shop.order(step, "A")

    async def story(world: World) -> None:
        await world.create()
        guard = Guard(world.engine.roster.instance(1))
        assert not guard.is_decided

        guard.hear_step(StepBegin(1, 1, "do", "order A", 1, {"config": AT_ONCE}), 0)
        assert guard.is_decided and guard.divergence(0) is None

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("policy", list(Policy))
def test_a_callback_is_compared_with_its_own_children_only(tmp_path: Path, policy: Policy) -> None:
    shop = Shop()

    def code(*names: str, fails: bool = False) -> Workflow:
        async def workflow(event: Event, step: Step) -> Any:
            async def body(ctx: Context) -> Any:
                done = [await shop.charge(ctx.step, "B " + name, name) for name in names]
                if fails:
                    raise StepError("Error", "not yet")
                return done

            await step.do("A", lambda ctx: shop.charge(ctx.step, "A", "mail"))
            return await step.do("B", body, LATER)

        return workflow

    async def story(world: World) -> None:
        world.engine.divergences.policy = policy
        await world.create()
        world.load({CLASS: code("mail", "ship")})
        await world.advance(2 * HOUR)

        expected = {"hold": "paused", "warn": "complete", "fail": "errored"}
        assert world.status() == expected[policy]
        assert shop.done["B charge"] == 1
        assert shop.done["B mail"] == (policy is Policy.WARN)

    play(tmp_path, code("charge", "ship", fails=True), story)


# --- callbacks that go on when they should not


def test_a_step_called_after_its_parent_has_ended_is_not_one_of_run(tmp_path: Path) -> None:
    shop = Shop()
    tasks = []

    async def workflow(event: Event, step: Step) -> Any:
        async def behind(ctx: Context) -> None:
            await shop.gate.wait()
            await shop.charge(ctx.step, "A")

        async def body(ctx: Context) -> None:
            tasks.append(asyncio.ensure_future(behind(ctx)))

        await step.do("order", body)
        shop.gate.set()
        await tasks[0]
        await step.sleep("rest", "1 hour")
        return await shop.charge(step, "B")

    async def story(world: World) -> None:
        await world.create()
        key = world.engine.roster.instance(1)
        assert [each.parent for each in key.steps.values()] == ["", "do:1:order", ""]
        await world.advance(HOUR)

    play(tmp_path, workflow, story)
    assert shop.done["A"] == 1


def test_a_call_in_a_callback_that_was_never_called_breaks_the_protocol(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.sleep("rest", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        run = next(iter(world.engine.roster.runs))
        begun = StepBegin(run.number, 99, "do", "charge", 1, {}, parent=77)

        with pytest.raises(ProtocolError, match="call 77, which was never made"):
            world.engine.hear(run.guest, begun)

    play(tmp_path, workflow, story)


# --- what the official engine would make of it


def mixing(*calls: str) -> Workflow:
    """Calls "charge" in a step named like each call; `run` calls it in `run()` itself."""

    async def workflow(event: Event, step: Step) -> None:
        for call in calls:
            if call == "run":
                await step.do("charge", lambda ctx: 1, line="src/entry.py:9")
            else:
                await step.do(
                    call,
                    lambda ctx: ctx.step.do("charge", lambda ctx: 1, line="src/entry.py:7"),
                )

    return workflow


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        (
            ["A", "B", "C"],
            'src/entry.py:7: orders: "charge" is called in the step "A" and in the step "B".',
        ),
        (["A", "run"], 'src/entry.py:9: orders: "charge" is called in the step "A" and in run().'),
        (["run", "A"], ""),
        (["A"], ""),
        (["run", "run"], ""),
    ],
)
def test_it_is_said_once_where_the_official_engine_may_mix_results_up(
    tmp_path: Path, calls: list[str], told: str
) -> None:
    async def story(world: World) -> None:
        await world.create("one")
        await world.create("two")

        assert len(world.reports) == bool(told)
        assert not told or world.reports[0].startswith(told)

    play(tmp_path, mixing(*calls), story)


def test_a_name_used_at_two_levels_of_one_callback_is_not_mixed_up(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        async def body(level: int, ctx: Context) -> int:
            if level == 3:
                return level
            return int(await ctx.step.do("part", partial(body, level + 1)))

        return await step.do("all", partial(body, 1))

    async def story(world: World) -> None:
        await world.create()

        assert (world.output(), world.reports) == (3, [])

    play(tmp_path, workflow, story)


def test_a_journal_keeps_what_is_needed_and_no_more(tmp_path: Path) -> None:
    """Where nothing is nested no step says which call of its caller it is."""

    async def story(world: World) -> None:
        await world.create("plain")
        starts = [e for e in world.entries("plain") if e.kind is EntryKind.STEP_START]
        assert all("nth" not in members_of(e) for e in starts)

    play(tmp_path, mixing("run", "run"), story)


# --- journals of before

RECORDED_MS = 1_767_225_660_000  # the end of `data/journal-v3-nested.sql`


def recorded(folder: Path) -> None:
    """Write the journal that an engine left behind when its host was killed.

    It counted the calls of a name over the whole run, and recorded no places.
    """
    script = Path(__file__).parent / "data" / "journal-v3-nested.sql"
    connection = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
    connection.executescript(script.read_text(encoding="utf-8"))
    connection.close()


@pytest.mark.parametrize("same_code", [True, False])
def test_instances_of_a_journal_without_places_go_on(tmp_path: Path, same_code: bool) -> None:
    recorded(tmp_path)
    charged: list[str] = []

    async def workflow(event: Event, step: Step) -> Any:
        def charge(step: Step, who: str) -> asyncio.Future[Any]:
            def work(ctx: Context) -> str:
                charged.append(who)
                return f"{who} is charged"

            return step.do("charge", work)

        def order(who: str) -> asyncio.Future[Any]:
            return step.do(f"order {who}", lambda ctx: charge(ctx.step, who))

        async def all_of(ctx: Context) -> Any:
            return [await charge(ctx.step, who) for who in "ABC"]

        async def ask(ctx: Context) -> Any:
            got = await ctx.step.wait_for_event("approval", "go")
            await ctx.step.sleep("rest", "1 hour")
            return got["payload"]

        match event["payload"]:
            case "asleep":
                first = await order("A")
                await step.sleep("rest", "1 hour")
                return [first, await order("B"), await charge(step, "C")]
            case "in flight":
                first = await order("A")
                rest = [await charge(step, "B"), await order("C"), await charge(step, "D")]
                return [first, *rest, await order("E")]
            case "retried":
                return await step.do("all", all_of)
            case _:
                first = await step.do("A", lambda ctx: ctx.step.wait_for_event("approval", "go"))
                last = [await step.do("B", ask), await step.wait_for_event("approval", "go")]
                return [first, last[0], last[1]["payload"]]

    async def story() -> None:
        world = World(tmp_path, {CLASS: workflow}, clock=VirtualClock(RECORDED_MS), guest=False)
        world.generation = 0 if same_code else 1
        world.load()
        await world.advance(2 * HOUR)
        await world.send("go", 3, "waiting")

        assert world.output("asleep") == ["A was charged", "B is charged", "C is charged"]
        assert world.output("in-flight") == [
            *("A was charged", "B was charged", "C was charged", "D is charged", "E is charged")
        ]
        assert world.output("retried") == ["A was charged", "B was charged", "C is charged"]
        assert world.output("waiting") == [1, 2, 3]
        assert sorted(charged) == ["B", "C", "C", "D", "E"]
        ended = [e.at_ms for e in world.entries("waiting") if e.kind is EntryKind.SLEEP_COMPLETE]
        assert ended == [RECORDED_MS - MINUTE + HOUR]
        await world.crash_and_boot()
        world.crash()

    asyncio.run(story())
