"""The clock of a worker under test, as the test moves it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from emulator.durations import InvalidDuration, parse_duration_ms
from emulator.engine.clock_control import Timekeeper
from emulator.errors import EmulatorError
from emulator.testing.operations import Args, asked
from emulator.testing.refusals import Refused
from emulator.testing.subject import Subject


@asked("clock.now")
async def now(subject: Subject, args: Args) -> int:
    """Return the time in epoch milliseconds."""
    return subject.worker.timekeeper.now_ms()


@asked("clock.advance")
async def advance(subject: Subject, args: Args) -> int:
    """Move time by `span`, a duration of Workflows or milliseconds; return the new time."""
    keeper = _virtual(subject)
    await _refusing(keeper.advance(_span_ms(args["span"])))
    return keeper.now_ms()


@asked("clock.move_to")
async def move_to(subject: Subject, args: Args) -> int:
    """Move time to `at_ms`. It never goes back."""
    keeper = _virtual(subject)
    span_ms = args["at_ms"] - keeper.now_ms()
    if span_ms < 0:
        raise Refused("The clock cannot be moved back: workflows live by it. Give a later time.")
    await _refusing(keeper.advance(span_ms))
    return keeper.now_ms()


@asked("clock.next")
async def advance_to_next(subject: Subject, args: Args) -> dict[str, Any] | None:
    """Move to the next deadline; return `{"at_ms", "due"}`, the steps that were due, or None."""
    keeper = _virtual(subject)
    await keeper.at_rest()
    due_ms = keeper.next_ms()
    if due_ms is None:
        return None
    due = due_steps(subject, due_ms)
    await _refusing(keeper.advance_to_next())
    return {"at_ms": keeper.now_ms(), "due": due}


@asked("clock.run_until_idle")
async def run_until_idle(subject: Subject, args: Args) -> int:
    """Move from deadline to deadline until none is left, for `limit` at the most."""
    keeper = _virtual(subject)
    limit_ms = keeper.now_ms() + _span_ms(args["limit"])
    await keeper.at_rest()
    while (due_ms := subject.engine.roster.next_due_ms()) is not None and due_ms <= limit_ms:
        await _refusing(keeper.advance(max(0, due_ms - keeper.now_ms())))
    return keeper.now_ms()


@asked("clock.freeze")
async def freeze(subject: Subject, args: Args) -> int:
    """Stop time."""
    await _virtual(subject).freeze()
    return subject.worker.timekeeper.now_ms()


@asked("clock.run")
async def run(subject: Subject, args: Args) -> int:
    """Let time go on at its usual speed."""
    await _virtual(subject).run()
    return subject.worker.timekeeper.now_ms()


def due_steps(subject: Subject, due_ms: int) -> list[dict[str, Any]]:
    """Return the steps with this deadline: `{"workflow", "instance", "step", "type"}` of each."""
    found = []
    for row in subject.engine.journal.unfinished():
        instance = subject.engine.roster.sound(row.key)
        if instance is not None:
            of = {"workflow": row.workflow, "instance": instance.id}
            due = [step for step in instance.open.values() if step.due_ms == due_ms]
            found += [{**of, "step": step.name, "type": step.kind.value} for step in due]
    return found


def _virtual(subject: Subject) -> Timekeeper:
    """Return what moves time. Raises Refused on a real clock."""
    if not subject.worker.timekeeper.is_virtual:
        raise Refused(
            'The clock of this worker is real (clock="real"), so it cannot be moved.'
            ' Use clock="auto" or clock="virtual".'
        )
    return subject.worker.timekeeper


def _span_ms(span: Any) -> int:
    try:
        return parse_duration_ms(span)
    except InvalidDuration as error:
        raise Refused(f"The span is {error}") from None


async def _refusing(work: Awaitable[object]) -> None:
    try:
        await work
    except EmulatorError as error:
        raise Refused(str(error)) from None
