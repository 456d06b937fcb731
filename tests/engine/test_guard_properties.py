"""Random workflows are edited at random while an instance is somewhere in them."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.engine.model.step_key import StepKey
from tests.engine.edited_code import (
    ANY,
    HARMLESS,
    Code,
    Do,
    Gather,
    Sleep,
    edited,
    names_in,
    random_code,
)
from tests.engine.scripted import Context, Step, Workflow
from tests.engine.world import CLASS, HOUR, MINUTE, World, play

Event = dict[str, Any]
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


RANDOM = st.randoms(use_true_random=False)
CODES = RANDOM.map(random_code)
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
@given(RANDOM, CODES, st.sampled_from(ANY), WHEN)
def test_no_step_that_is_done_runs_again_whatever_was_edited(
    random: Random, code: Code, edit: str, when: tuple[int, bool]
) -> None:
    new = edited(random, code, edit)

    def check(world: World, done: Ran, ran: Ran) -> None:
        assert {call: ran[call] for call in done} == dict.fromkeys(done, 1)
        assert world.status() in ("paused", "complete")

    story_of(code, new, when, check)


@AMOUNT
@given(RANDOM, CODES, st.sampled_from(HARMLESS), WHEN)
def test_harmless_edits_are_never_held(
    random: Random, code: Code, edit: str, when: tuple[int, bool]
) -> None:
    new = edited(random, code, edit)

    def check(world: World, done: Ran, ran: Ran) -> None:
        assert world.status() == "complete"
        assert set(ran.values()) <= {1}

    story_of(code, new, when, check)


@AMOUNT
@given(RANDOM, CODES, st.sampled_from(ANY), WHEN)
def test_what_is_held_is_held_for_a_reason(
    random: Random, code: Code, edit: str, when: tuple[int, bool]
) -> None:
    """An edit of what the instance has not come to yet is no reason."""
    new = edited(random, code, edit)

    def check(world: World, done: Ran, ran: Ran) -> None:
        if world.status() == "paused":
            divergence = world.engine.roster.instance(1).divergence
            assert divergence is not None
            missing = divergence.divergence.missing
            assert missing, divergence
            names = {StepKey.of(key).name for key in missing}
            assert names <= names_in(code)

    story_of(code, new, when, check)
