"""Random workflows are edited at random while an instance is somewhere in them.

A workflow is a list of operations. Each has an identity that edits keep, so the test notices a step
that runs again under another name. Inserted steps get names that were never used: a step is
identified by its name and count, as in production (docs/reload.md).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.engine.model.step_key import StepKey
from tests.engine.scripted import Context, Step, Workflow
from tests.engine.world import CLASS, HOUR, MINUTE, World, play

Event = dict[str, Any]


@dataclass(frozen=True)
class Do:
    """A step, called `times` times in a row."""

    identity: int
    name: str
    times: int = 1


@dataclass(frozen=True)
class Sleep:
    """A sleep of ten minutes."""

    identity: int
    name: str


@dataclass(frozen=True)
class Gather:
    """Steps side by side."""

    branches: tuple[Do | Sleep, ...]


Operation = Do | Sleep | Gather
Code = tuple[Operation, ...]
Ran = Counter[tuple[int, int]]  # (identity, which call) -> executions


def workflow(code: Code, ran: Ran) -> Workflow:
    """Return `code` as a workflow that counts what it executes."""

    async def one(operation: Do | Sleep, step: Step) -> None:
        if isinstance(operation, Sleep):
            await step.sleep(operation.name, "10 minutes")
            return
        for turn in range(operation.times):
            await step.do(operation.name, body(operation.identity, turn))

    def body(identity: int, turn: int) -> Callable[[Context], None]:
        def execute(ctx: Context) -> None:
            ran[identity, turn] += 1

        return execute

    async def run(event: Event, step: Step) -> None:
        for operation in code:
            if isinstance(operation, Gather):
                await asyncio.gather(*(one(branch, step) for branch in operation.branches))
            else:
                await one(operation, step)

    return run


@st.composite
def codes(draw: st.DrawFn) -> Code:
    """A workflow of up to seven operations; every name is used once."""
    shapes = draw(st.lists(st.sampled_from(["do", "sleep", "loop", "gather"]), max_size=6))
    code: list[Operation] = []
    identity = 0
    for shape in [*shapes, "sleep"]:
        identity += 10
        match shape:
            case "do":
                code.append(Do(identity, f"step {identity}"))
            case "loop":
                code.append(Do(identity, f"step {identity}", draw(st.integers(2, 3))))
            case "sleep":
                code.append(Sleep(identity, f"nap {identity}"))
            case "gather":
                count = draw(st.integers(2, 3))
                steps = [Do(identity + n, f"step {identity + n}") for n in range(count)]
                naps = [Sleep(identity + 9, f"nap {identity + 9}")] if draw(st.booleans()) else []
                code.append(Gather((*steps, *naps)))
    return tuple(code)


@st.composite
def edited(draw: st.DrawFn, code: Code, edit: str) -> Code:
    """Return `code` after one edit at a random place."""
    place = draw(st.integers(0, len(code) - 1))
    operation = code[place]
    fresh = Do(1000, "new step")
    match edit:
        case "rename":
            return _with(code, place, _each(operation, lambda op: replace(op, name=f"{op.name}!")))
        case "remove":
            return (*code[:place], *code[place + 1 :])
        case "insert":
            return (*code[:place], fresh, *code[place:])
        case "change kind":
            return _with(code, place, _each(operation, _other_kind))
        case "fewer turns" if isinstance(operation, Do):
            return _with(code, place, replace(operation, times=max(1, operation.times - 1)))
        case "move":
            rest = [*code[:place], *code[place + 1 :]]
            rest.insert(draw(st.integers(0, len(rest))), operation)
            return tuple(rest)
        case "reorder branches" if isinstance(operation, Gather):
            return _with(code, place, Gather(tuple(draw(st.permutations(operation.branches)))))
        case "append":
            return (*code, fresh)
        case _:
            return code


def _with(code: Code, place: int, operation: Operation) -> Code:
    return (*code[:place], operation, *code[place + 1 :])


def _each(operation: Operation, change: Callable[[Any], Do | Sleep]) -> Operation:
    if isinstance(operation, Gather):
        return Gather((change(operation.branches[0]), *operation.branches[1:]))
    return change(operation)


def _other_kind(operation: Do | Sleep) -> Do | Sleep:
    other = Sleep if isinstance(operation, Do) else Do
    return other(operation.identity, operation.name)


HARMLESS = ("reorder branches", "append", "nothing")
ANY = (*HARMLESS, "rename", "remove", "insert", "change kind", "fewer turns", "move")
WHEN = st.tuples(st.integers(0, 80), st.booleans())
AMOUNT = settings(max_examples=60, deadline=None)


def story_of(
    code: Code, new: Code, when: tuple[int, bool], check: Callable[[World, Ran, Ran], None]
) -> None:
    """Run `code` for some minutes, go on with `new`, then with `code` again if it is held.

    when: after how many minutes, and whether sleeping instances are looked at before they wake up.
    """
    minutes, swept = when
    ran: Ran = Counter()

    async def story(world: World) -> None:
        await world.create()
        await world.advance(minutes * MINUTE)
        done = Counter(ran)
        world.load({CLASS: workflow(new, ran)})
        if not swept:
            world.engine.sweep.stop()
        await world.advance(24 * HOUR)
        check(world, done, ran)
        if world.status() == "paused":
            world.load({CLASS: workflow(code, ran)})
            await world.advance(24 * HOUR)
            assert world.status() == "complete"
            assert set(ran.values()) <= {1}

    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), workflow(code, ran), story)


@AMOUNT
@given(st.data(), codes(), st.sampled_from(ANY), WHEN)
def test_no_step_that_is_done_runs_again_whatever_was_edited(
    data: st.DataObject, code: Code, edit: str, when: tuple[int, bool]
) -> None:
    new = data.draw(edited(code, edit))

    def check(world: World, done: Ran, ran: Ran) -> None:
        assert {call: ran[call] for call in done} == dict.fromkeys(done, 1)
        assert world.status() in ("paused", "complete")

    story_of(code, new, when, check)


@AMOUNT
@given(st.data(), codes(), st.sampled_from(HARMLESS), WHEN)
def test_harmless_edits_are_never_held(
    data: st.DataObject, code: Code, edit: str, when: tuple[int, bool]
) -> None:
    new = data.draw(edited(code, edit))

    def check(world: World, done: Ran, ran: Ran) -> None:
        assert world.status() == "complete"
        assert set(ran.values()) <= {1}

    story_of(code, new, when, check)


@AMOUNT
@given(st.data(), codes(), st.sampled_from(ANY), WHEN)
def test_what_is_held_is_held_for_a_reason(
    data: st.DataObject, code: Code, edit: str, when: tuple[int, bool]
) -> None:
    """An edit of what the instance has not come to yet is no reason."""
    new = data.draw(edited(code, edit))

    def check(world: World, done: Ran, ran: Ran) -> None:
        if world.status() == "paused":
            divergence = world.engine.roster.instance(1).divergence
            assert divergence is not None
            missing = divergence.divergence.missing
            assert missing, divergence
            names = {StepKey.of(key).name for key in missing}
            assert names <= _names(code)

    story_of(code, new, when, check)


def _names(code: Code) -> set[str]:
    found: set[str] = set()
    for operation in code:
        branches = operation.branches if isinstance(operation, Gather) else (operation,)
        found |= {branch.name for branch in branches}
    return found
