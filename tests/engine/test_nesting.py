"""Steps called in callbacks that new code runs again: none that is done runs under another name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.engine.model.divergence import Change, Policy
from emulator.engine.model.entry_kinds import EntryKind
from tests.engine.scripted import Context, Step, Workflow
from tests.engine.test_guard import changes, told
from tests.engine.world import CLASS, GRACE_MS, HOUR, NAME, SECOND, World, play

Event = dict[str, Any]
Body = Callable[[Context], Any]
ONCE = {"retries": {"limit": 3, "delay": "1 hour", "backoff": "constant"}}


def outer(body: Body) -> Workflow:
    """One step whose callback is `body`."""

    async def workflow(event: Event, step: Step) -> Any:
        return await step.do("outer", body, ONCE)

    return workflow


def returning(value: str, ctx: Context) -> str:
    return value


def calling(*names: str, fails_at: int = 0, hangs: bool = False) -> Workflow:
    """A callback that does these steps one after the other; then attempt `fails_at` fails."""

    async def body(ctx: Context) -> list[Any]:
        done = [await ctx.step.do(name, partial(returning, name)) for name in names]
        if ctx.attempt == fails_at:
            raise ValueError("not yet")
        if hangs:
            await asyncio.Event().wait()
        return done

    return outer(body)


FIRST = calling("load", "charge", fails_at=1)


def test_a_nested_step_that_is_done_and_was_renamed_is_held_and_not_run_again(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        world.load({CLASS: calling("load", "charge card")})
        await world.advance(2 * HOUR)

        assert world.status() == "paused"
        assert world.attempts("charge card-1") == []
        (one,) = diverged
        assert changes(one) == [(Change.RENAMED, "charge", "charge card")]
        assert one.divergence.within == "outer"

        await world.control.resume_held(NAME, "a", renames={"charge": "charge card"})
        await world.settle()
        assert world.output() == ["load", "charge"]
        assert world.attempts("load-1") == world.attempts("charge-1") == [1]
        assert world.attempts("charge card-1") == []

    play(tmp_path, FIRST, story)


def test_an_attempt_that_a_save_cut_off_counts_too(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: calling("load", "charge card")})
        await world.advance(GRACE_MS + SECOND)

        assert world.status() == "paused"
        assert world.attempts("charge card-1") == []
        assert EntryKind.ATTEMPT_INTERRUPTED in world.kinds()

    play(tmp_path, calling("load", "charge", hangs=True), story)


def test_accepting_runs_the_new_nested_step(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: calling("load", "check", "charge")})
        await world.advance(2 * HOUR)
        assert world.status() == "paused"

        await world.control.resume_held(NAME, "a", None)
        await world.settle()
        assert world.output() == ["load", "check", "charge"]
        assert world.attempts("check-1") == world.attempts("charge-1") == [1]

    play(tmp_path, FIRST, story)


def test_an_undone_edit_lets_it_go_on_by_itself(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.code = "before"
        world.load()
        await world.create()
        world.code = "after"
        world.load({CLASS: calling("load", "charge card")})
        await world.advance(2 * HOUR)
        await world.crash_and_boot()  # the same code: looked at again, and still held
        await world.advance(SECOND)
        assert world.status() == "paused"

        world.code = "before"
        world.load({CLASS: calling("load", "charge")})
        await world.advance(SECOND)
        assert world.output() == ["load", "charge"]
        assert world.attempts("charge-1") == [1]

    play(tmp_path, FIRST, story)


@pytest.mark.parametrize(
    ("policy", "status"), [(Policy.WARN, "complete"), (Policy.FAIL, "errored")]
)
def test_policy_decides_about_callbacks_too(tmp_path: Path, policy: Policy, status: str) -> None:
    async def story(world: World) -> None:
        world.engine.divergences.policy = policy
        await world.create()
        diverged = told(world)
        world.load({CLASS: calling("load", "charge card")})
        await world.advance(2 * HOUR)

        assert world.status() == status
        assert [each.action for each in diverged] == [policy]

    play(tmp_path, FIRST, story)


def in_gather(*names: str, fails_at: int = 0) -> Workflow:
    async def body(ctx: Context) -> list[Any]:
        steps = [ctx.step.do(name, partial(returning, name)) for name in names]
        done = await asyncio.gather(*steps)
        if ctx.attempt == fails_at:
            raise ValueError("not yet")
        return sorted(done)

    return outer(body)


def by_attempt(changed: str = "", fails_at: int = 0) -> Workflow:
    """Gives its nested step another name in every attempt."""

    async def body(ctx: Context) -> Any:
        value = await ctx.step.do(f"try {ctx.attempt}", lambda ctx: changed or "same")
        if ctx.attempt == fails_at:
            raise ValueError("not yet")
        return value

    return outer(body)


@pytest.mark.parametrize(
    ("before", "after", "output"),
    [
        (FIRST, calling("load", "charge"), ["load", "charge"]),
        (FIRST, calling("load", "charge", "mail"), ["load", "charge", "mail"]),
        (FIRST, calling("charge", "load"), ["charge", "load"]),
        (
            in_gather("a", "b", fails_at=1),
            in_gather("new", "b", "a"),
            ["a", "b", "new"],
        ),
        (by_attempt(fails_at=1), by_attempt("other"), "other"),
        (FIRST, outer(lambda ctx: "no steps any more"), "no steps any more"),
    ],
    ids=["unchanged", "appended", "changed places", "gather", "by attempt", "none asked"],
)
def test_harmless_edits_of_a_callback_are_not_held(
    tmp_path: Path, before: Workflow, after: Workflow, output: Any
) -> None:
    async def story(world: World) -> None:
        await world.create()
        diverged = told(world)
        world.load({CLASS: after})
        await world.advance(2 * HOUR)

        assert (world.output(), diverged) == (output, [])
        for name in ("load-1", "charge-1", "a-1", "b-1"):
            assert len(world.attempts(name)) <= 1

    play(tmp_path, before, story)


def test_on_unchanged_code_a_callback_may_ask_for_something_else(tmp_path: Path) -> None:
    asked = iter(["first", "second"])

    async def body(ctx: Context) -> Any:
        value = await ctx.step.do(next(asked), lambda ctx: 1)
        if ctx.attempt == 1:
            raise ValueError("not yet")
        return value

    async def story(world: World) -> None:
        world.code = "the same"
        world.load()
        await world.create()
        await world.crash_and_boot()
        await world.advance(2 * HOUR)

        assert world.output() == 1

    play(tmp_path, outer(body), story)


def beside(name: str, fails_at: int = 0) -> Workflow:
    """Beside a slow step, whose callback ends when it is let."""

    async def workflow(event: Event, step: Step) -> Any:
        gate = GATES[0]

        async def body(ctx: Context) -> Any:
            value = await ctx.step.do(name, lambda ctx: name)
            if ctx.attempt == fails_at:
                raise ValueError("not yet")
            return value

        async def slow(ctx: Context) -> str:
            await gate.wait()
            return "slow"

        async def second() -> Any:
            await step.sleep("soon", HOUR)
            return await step.do("slow", slow)

        return await asyncio.gather(step.do("outer", body, ONCE), second())

    return workflow


GATES: list[asyncio.Event] = []


def test_what_else_executes_ends_first(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        GATES[:] = [asyncio.Event()]
        await world.create()
        world.load({CLASS: beside("charge card")})
        await world.advance(HOUR + 2 * SECOND)
        assert world.status() == "running"
        GATES[0].set()
        await world.advance(SECOND)

        assert world.status() == "paused"
        assert world.attempts("slow-1") == [1]
        await world.control.resume_held(NAME, "a", renames={"charge": "charge card"})
        await world.settle()
        assert world.output() == ["charge", "slow"]
        assert world.attempts("slow-1") == [1]

    play(tmp_path, beside("charge", fails_at=1), story)


Nested = list[tuple[str, str]]  # what a nested step does, and its name


@st.composite
def edits(draw: st.DrawFn) -> tuple[Nested, Nested]:
    """The nested steps of a callback, and what became of them: renamed, removed, added, moved."""
    old = [(effect, effect) for effect in "abcd"[: draw(st.integers(1, 4))]]
    new = []
    for effect, name in old:
        what = draw(st.sampled_from(["keep", "keep", "rename", "remove", "insert"]))
        if what == "insert":
            new.append((f"before {effect}", f"before {effect}"))
        if what != "remove":
            new.append((effect, f"new {name}" if what == "rename" else name))
    return old, draw(st.permutations(new)) if draw(st.booleans()) else new


@given(edits(), st.integers(0, 4), st.booleans())
def test_whatever_is_edited_nothing_nested_is_done_twice(
    tmp_path_factory: pytest.TempPathFactory, codes: tuple[Nested, Nested], come: int, at_once: bool
) -> None:
    done: list[str] = []

    def doing(steps: Nested, fails: bool) -> Workflow:
        async def body(ctx: Context) -> None:
            calls = (partial(ctx.step.do, name, partial(note, what)) for what, name in steps)
            if at_once:
                await asyncio.gather(*(call() for call in calls))
            else:
                for call in calls:
                    await call()
            if fails:
                raise ValueError("not yet")

        return outer(body)

    def note(what: str, ctx: Context) -> None:
        done.append(what)

    old, new = codes

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: doing(new, fails=False)})
        await world.advance(2 * HOUR)

        was, is_now = ({name for _, name in steps} for steps in (old[:come], new))
        if at_once:  # then only what it asks for matters
            assert world.status() == ("paused" if was - is_now and is_now - was else "complete")
        assert world.status() in ("paused", "complete")

    play(tmp_path_factory.mktemp("nested"), doing(old[:come], fails=True), story)
    assert len(done) == len(set(done))
