"""Guests that begin steps by themselves, and what the host must know before it acts on a run.

The guest here says only what a test makes it say, so that messages cross as the test wants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from emulator.engine.guests.blame import Loss
from emulator.engine.handover import RECALL_MAX_MS
from emulator.engine.model.definition import Definition
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.runs.idle import IDLE_GRACE_MS
from emulator.protocol.loading import Loaded
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.runs import (
    RunAbort,
    RunAskFirst,
    RunAsking,
    RunStart,
    StepBegin,
    StepDone,
    StepEnd,
    StepFailed,
    StepRun,
)
from tests.engine.scripted import Step
from tests.engine.world import CLASS, GRACE_MS, HOUR, MINUTE, NAME, SECOND, Story, World, play

Event = dict[str, Any]
M = TypeVar("M", bound=Message)


class Puppet:
    """A guest that begins steps by itself, by hand."""

    def __init__(self, world: World) -> None:
        world.generation += 1
        self.generation = world.generation
        self.loaded = Loaded({}, {CLASS: "src/entry.py:1"}, {}, free_steps=True)
        self.sent: list[Message] = []
        self.broken: ProtocolError | None = None
        self._world = world
        world.engine.use_guest(self, "puppets")

    def when_read(self, callback: Callable[[], None]) -> None:
        callback()

    def broke_protocol(self, error: ProtocolError) -> None:
        self.broken = error

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def got(self, kind: type[M]) -> list[M]:
        """What it was sent, of one type of message."""
        return [message for message in self.sent if isinstance(message, kind)]

    @property
    def run(self) -> int:
        """The last run it was given."""
        return self.got(RunStart)[-1].run

    def begin(self, name: str, call: int = 1, *, started: bool = True, **more: Any) -> None:
        begin = StepBegin(self.run, call, "do", name, 1, {}, started=started, **more)
        self._world.engine.hear(self, begin)

    def sleep(self, name: str, call: int) -> None:
        begin = StepBegin(self.run, call, "sleep", name, 1, {"duration": "1 hour"})
        self._world.engine.hear(self, begin)

    def end(self, call: int = 1, attempt: int = 1, **more: Any) -> None:
        self._world.engine.hear(self, StepEnd(self.run, call, attempt, **more))

    def asks_first(self) -> None:
        self._world.engine.hear(self, RunAsking(self.run))


async def unused(event: Event, step: Step) -> None:
    raise AssertionError("puppets have no workflows")


def act(tmp_path: Path, story: Story) -> None:
    play(tmp_path, unused, story, guest=False)


async def started(world: World) -> Puppet:
    """A guest that has been given a run of instance `a`."""
    puppet = Puppet(world)
    await world.create()
    return puppet


async def pausing(world: World) -> asyncio.Task[None]:
    """Ask for a pause; the guest has not heard of it yet."""
    task = asyncio.create_task(world.control.pause(NAME, "a"))
    await world.settle()
    return task


def test_a_step_that_the_guest_began_is_not_ordered_and_recorded_as_any_other(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.begin("charge")
        puppet.end(payload=b"42")
        await world.settle()

        assert puppet.got(StepRun) == []
        assert puppet.got(StepDone) == [StepDone(puppet.run, 1)]
        assert world.kinds()[2:] == [
            EntryKind.STEP_START,
            EntryKind.ATTEMPT_START,
            EntryKind.ATTEMPT_SUCCESS,
            EntryKind.STEP_SUCCESS,
        ]

    act(tmp_path, story)


def test_a_run_may_begin_as_many_steps_as_the_limit_leaves(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        assert puppet.got(RunStart)[-1].free_steps == 2
        puppet.begin("one", 1)
        puppet.end(1)
        await world.settle()
        await world.crash_and_boot(guest=False)

        again = Puppet(world)
        await world.settle()
        assert again.got(RunStart)[-1].free_steps == 1
        again.begin("two", 1)
        again.begin("three", 2)
        assert "limit of 2 steps" in again.got(StepFailed)[-1].message

    play(
        tmp_path,
        unused,
        story,
        guest=False,
        definitions=[Definition(NAME, CLASS, step_limit=2)],
    )


def test_a_guest_that_cannot_begin_steps_is_not_asked_to_hold(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = Puppet(world)
        puppet.loaded = Loaded({}, {CLASS: "src/entry.py:1"}, {})
        await world.create()
        await world.pause()

        assert puppet.got(RunStart)[-1].free_steps == 0
        assert puppet.got(RunAskFirst) == []
        assert world.status() == "paused"

    act(tmp_path, story)


def test_steps_that_an_earlier_run_began_are_not_for_the_guest_to_begin(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.begin("fails", 1)
        puppet.end(1, name="Error", message="not yet")
        puppet.begin("succeeds", 2)
        puppet.end(2)
        puppet.begin("goes on", 3)
        await world.settle()
        await world.crash_and_boot(guest=False)
        again = Puppet(world)
        await world.settle()

        assert again.got(RunStart)[-1].begun == [["fails", 1], ["goes on", 1]]

    act(tmp_path, story)


def test_a_step_that_waits_for_its_retry_is_not_taken_as_begun(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.begin("goes on", 2)
        puppet.begin("fails")
        puppet.end(name="Error", message="not yet")
        await world.settle()
        await world.crash_and_boot(guest=False)
        again = Puppet(world)
        await world.settle()
        again.begin("fails")  # against the rules
        again.end(payload=b"1")
        await world.settle()
        assert again.got(StepDone) == []
        await world.advance(10 * SECOND)
        assert [order.attempt for order in again.got(StepRun)] == [2]

    act(tmp_path, story)


def test_a_step_begun_twice_breaks_the_protocol(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.begin("charge", 1)
        with pytest.raises(ProtocolError, match="begun twice"):
            puppet.begin("charge", 2)

    act(tmp_path, story)


def test_a_pause_waits_for_a_step_that_began_before_the_guest_heard_of_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        pause = await pausing(world)
        assert puppet.got(RunAskFirst) == [RunAskFirst(puppet.run)]
        assert not pause.done()
        puppet.begin("late")
        puppet.asks_first()
        await pause
        assert world.status() == "waitingForPause"
        assert puppet.got(RunAbort) == []

        puppet.end(payload=b"1")
        await world.settle()
        assert world.status() == "paused"
        assert puppet.got(RunAbort) == [RunAbort(puppet.run)]
        assert EntryKind.STEP_SUCCESS in world.kinds()

    act(tmp_path, story)


def test_a_pause_of_a_run_in_which_nothing_began_takes_effect_at_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.sleep("nap", 1)
        pause = await pausing(world)
        puppet.asks_first()
        await pause

        assert world.status() == "paused"
        assert EntryKind.WORKFLOW_PAUSING not in world.kinds()

    act(tmp_path, story)


def test_resume_does_not_fail_for_a_step_that_was_begun_twice_in_between(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.begin("first", 1)
        pause = await pausing(world)
        puppet.asks_first()
        await pause
        puppet.begin("second", 2, started=False)
        puppet.begin("second", 2, started=False)
        assert puppet.broken is None

        await world.resume()
        assert puppet.broken is not None

    act(tmp_path, story)


def test_a_step_that_asks_after_the_guest_heard_of_a_pause_waits_for_the_resume(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.begin("first", 1)
        pause = await pausing(world)
        puppet.asks_first()
        await pause
        puppet.begin("second", 2, started=False)
        await world.settle()
        assert puppet.got(StepRun) == []
        await world.resume()
        assert [order.call for order in puppet.got(StepRun)] == [2]

    act(tmp_path, story)


def test_a_guest_that_does_not_say_what_it_began_holds_the_pause_up(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        pause = await pausing(world)
        await world.advance(RECALL_MAX_MS)
        await pause
        assert world.status() == "waitingForPause"
        puppet.asks_first()
        await world.settle()
        assert world.status() == "paused"

    act(tmp_path, story)


def test_a_pause_does_not_wait_for_a_guest_that_is_gone(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        pause = await pausing(world)
        world.engine.guest_lost(puppet, Loss("exited with status 3"))
        await pause
        assert world.status() == "paused"

    act(tmp_path, story)


def test_a_resume_before_the_guest_answers_calls_the_pause_off(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        pause = await pausing(world)
        await world.advance(RECALL_MAX_MS)
        await pause
        await world.resume()
        puppet.begin("charge")
        puppet.asks_first()
        puppet.end()
        await world.settle()
        assert world.status() == "running"
        assert len(puppet.got(StepDone)) == 1

    act(tmp_path, story)


def test_an_instance_that_is_deleted_while_a_pause_waits_is_not_paused(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await started(world)
        pause = await pausing(world)
        await world.delete()
        with pytest.raises(Exception, match="Instance not found"):
            await pause

    act(tmp_path, story)


def test_a_run_leaves_its_generation_once_the_steps_it_began_have_ended(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        old = await started(world)
        new = Puppet(world)
        await world.settle()
        assert old.got(RunAskFirst) == [RunAskFirst(old.run)]
        assert old.got(RunAbort) == new.got(RunStart) == []
        old.begin("charge")
        old.asks_first()
        old.end(payload=b"1")
        await world.settle()

        assert old.got(RunAbort) == [RunAbort(old.run)]
        assert len(new.got(RunStart)) == 1
        assert EntryKind.ATTEMPT_INTERRUPTED not in world.kinds()
        assert EntryKind.STEP_SUCCESS in world.kinds()

    act(tmp_path, story)


def test_a_run_in_which_nothing_began_leaves_its_generation_as_soon_as_that_is_known(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        old = await started(world)
        new = Puppet(world)
        await world.settle()
        old.asks_first()
        await world.settle()
        assert old.got(RunAbort) == [RunAbort(old.run)]
        assert len(new.got(RunStart)) == 1

    act(tmp_path, story)


def test_a_generation_that_does_not_say_what_it_began_is_not_waited_for_long(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        old = await started(world)
        new = Puppet(world)
        await world.advance(RECALL_MAX_MS)
        assert old.got(RunAbort) == [RunAbort(old.run)]
        assert len(new.got(RunStart)) == 1

    act(tmp_path, story)


def test_a_step_that_began_is_waited_for_as_long_as_its_grace_lasts(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        old = await started(world)
        new = Puppet(world)
        old.begin("slow")
        await world.advance(GRACE_MS - 1)
        assert old.got(RunAbort) == []
        await world.advance(1)
        assert old.got(RunAbort) == [RunAbort(old.run)]
        assert len(new.got(RunStart)) == 1
        assert EntryKind.ATTEMPT_INTERRUPTED in world.kinds()

    act(tmp_path, story)


def test_a_run_that_only_waits_is_dropped_once_its_guest_began_nothing_more(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.sleep("nap", 1)
        await world.advance(IDLE_GRACE_MS)
        assert puppet.got(RunAskFirst) == [RunAskFirst(puppet.run)]
        assert puppet.got(RunAbort) == []
        puppet.asks_first()
        await world.settle()
        assert puppet.got(RunAbort) == [RunAbort(puppet.run)]
        assert world.status() == "waiting"

    act(tmp_path, story)


def test_a_run_that_began_a_step_just_before_it_was_to_be_dropped_is_kept(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.sleep("nap", 1)
        await world.advance(IDLE_GRACE_MS)
        puppet.begin("charge", 2)
        puppet.asks_first()
        await world.settle()
        assert puppet.got(RunAbort) == []
        assert world.status() == "running"
        puppet.end(2)
        await world.settle()
        assert len(puppet.got(StepDone)) == 1

    act(tmp_path, story)


def test_a_run_that_went_on_and_waits_again_keeps_another_moment(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.sleep("nap", 1)
        await world.advance(IDLE_GRACE_MS)
        puppet.begin("charge", 2)
        puppet.asks_first()
        puppet.end(2, name="Error", message="not yet")  # it is tried again in ten seconds
        await world.settle()
        assert puppet.got(RunAbort) == []
        await world.advance(IDLE_GRACE_MS)
        assert puppet.got(RunAbort) == [RunAbort(puppet.run)]

    act(tmp_path, story)


def test_steps_that_a_terminated_run_began_in_between_are_ignored(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        await world.terminate()
        puppet.begin("late")
        puppet.end()
        puppet.asks_first()
        await world.settle()
        assert world.status() == "terminated"
        assert EntryKind.STEP_START not in world.kinds()

    act(tmp_path, story)


def test_a_step_whose_start_a_crash_has_lost_begins_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.begin("charge")
        await world.crash_and_boot(guest=False)
        again = Puppet(world)
        await world.settle()
        assert again.got(RunStart)[-1].begun == []
        again.begin("charge")
        again.end()
        await world.settle()
        assert [e.attempt for e in world.entries() if e.kind is EntryKind.ATTEMPT_START] == [1]

    act(tmp_path, story)


def test_a_guest_lost_in_a_step_it_began_is_charged_for_the_attempt(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.begin("deadly")
        world.engine.guest_lost(puppet, Loss("exited with status 3"))
        again = Puppet(world)
        await world.settle()
        assert again.got(RunStart)[-1].begun == [["deadly", 1]]
        assert EntryKind.ATTEMPT_FAILURE in world.kinds()

    act(tmp_path, story)


def test_an_attempt_the_guest_began_times_out_and_its_late_end_is_ignored(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        puppet = await started(world)
        puppet.begin("slow")
        await world.advance(10 * MINUTE + 10 * SECOND)
        assert [order.attempt for order in puppet.got(StepRun)] == [2]
        puppet.end(payload=b'"late"')
        await world.settle()
        assert puppet.got(StepDone) == []
        puppet.end(attempt=2, payload=b'"right"')
        await world.settle()
        assert len(puppet.got(StepDone)) == 1
        assert [e.value for e in world.entries() if e.kind is EntryKind.STEP_SUCCESS] == [
            b'"right"'
        ]

    act(tmp_path, story)


def test_a_whole_instance_ends_with_a_guest_that_begins_its_steps(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> list[str]:
        names = ("a", "b", "c")
        first = await asyncio.gather(*(step.do(name, lambda ctx: "done") for name in names))
        await step.sleep("nap", HOUR)
        return [*first, await step.do("last", lambda ctx: "last")]

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)
        assert world.output() == ["done", "done", "done", "last"]
        assert world.sent(StepRun) == []
        assert len(world.sent(RunAskFirst)) == 1

    play(tmp_path, workflow, story)
