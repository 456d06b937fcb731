"""Waiting for something of a worker under test. Time moves by itself, and no wait lasts for ever.

With the clock "auto", time goes to the next deadline when everything is at rest, but never past the
wait for an event: then the wait ends at once, and says what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from emulator.durations import format_duration
from emulator.engine.model.plain import iso
from emulator.engine.model.step import StepState
from emulator.testing.refusals import Stuck, TooLate
from emulator.testing.subject import Subject

T = TypeVar("T")

_LOOK_EVERY_S = 0.002
_QUIET_TURNS = 2


async def until(
    subject: Subject,
    reached: Callable[[], T | None],
    what: str,
    about: Callable[[], str],
    timeout_ms: int,
) -> T:
    """Return the first result of `reached` that is not None.

    what: what is waited for, `"order-1 to be complete"`. about: returns what is known, for errors.
    Raises Stuck when it cannot happen, TooLate after `timeout_ms` of real time.
    """
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            while True:
                subject.news.clear()
                if (found := reached()) is not None:
                    return found
                if subject.worker.timekeeper.is_frozen:
                    await _rested(subject, reached)
                    if (found := reached()) is not None:
                        return found
                    await _on(subject, what, about)
                else:
                    await subject.news.wait()
    except TimeoutError:
        seconds = timeout_ms / 1000
        held = "".join(f"\n{_held(subject)}" for _ in subject.held[:1])
        text = f"Waited {seconds:g} s of real time for {what}.{held}\n{about()}"
        raise TooLate(text) from None


async def _rested(subject: Subject, reached: Callable[[], T | None]) -> None:
    """Return when everything is at rest, or what is waited for has come before."""
    resting = asyncio.ensure_future(_rest(subject))
    try:
        while not resting.done():
            await asyncio.wait([resting], timeout=_LOOK_EVERY_S)
            if not resting.done() and reached() is not None:
                return
        resting.result()
    finally:
        resting.cancel()


async def _rest(subject: Subject) -> None:
    """Return when nothing goes on, and the guest says nothing for some turns of its loop.

    Of two branches, the second may call its step in a later turn than the first.
    """
    said = -1
    while said != subject.ordering.heard_count:
        said = subject.ordering.heard_count
        await subject.worker.timekeeper.at_rest()
        while subject.is_busy and not subject.held:
            await asyncio.sleep(_LOOK_EVERY_S)
            await subject.worker.timekeeper.at_rest()
        for _ in range(_QUIET_TURNS):
            await subject.guest_turn()


async def _on(subject: Subject, what: str, about: Callable[[], str]) -> None:
    """Move time to the next deadline. Raises Stuck where a person must decide."""
    keeper = subject.worker.timekeeper
    due_ms = keeper.next_ms()
    problem = ""
    if subject.held:
        problem = _held(subject)
    elif due_ms is None:
        problem = "Nothing is under way, and nothing has a deadline."
    elif (waits := _event_wait(subject, due_ms)) or subject.options.clock != "auto":
        problem = waits or (
            f'Time stands still (clock="{subject.options.clock}"), and the next deadline is'
            f" {iso(due_ms)}. Move it with worker.clock.advance() or .next()."
        )
    if problem:
        raise Stuck(f"This wait for {what} would never end.\n{problem}\n{about()}")
    assert due_ms is not None
    await keeper.advance(max(0, due_ms - keeper.now_ms()))


def _held(subject: Subject) -> str:
    held = subject.held[0]
    name = held.call.name
    return (
        f'Step "{name}" of {held.call.instance} is held: it begins after'
        f' workflow.release("{name}").'
    )


def _event_wait(subject: Subject, due_ms: int) -> str:
    """Return how to go on if the wait for an event is what comes next; "" if it is not."""
    for row in subject.engine.journal.unfinished():
        instance = subject.engine.roster.sound(row.key)
        for step in () if instance is None else instance.open.values():
            if step.state is StepState.WAITING and step.due_ms == due_ms:
                span = format_duration(due_ms - subject.worker.timekeeper.now_ms())
                return (
                    f'{row.id} waits for the event "{step.event_type}" in step "{step.name}",'
                    f" which times out in {span}.\n"
                    f'  Send it: instance.send_event("{step.event_type}", payload). Answer every'
                    f' wait: workflow.on_wait("{step.event_type}", function).\n'
                    f'  Let it time out: workflow.force_event_timeout("{step.name}"), or'
                    f' worker.clock.advance("{span}").'
                )
    return ""
