"""What happens without a user: deadlines pass, events arrive, instances have lost their runs.

Each instance that only waits has a deadline. Every other one is queued or runs: none is forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial

from emulator.engine.actions import Action, Actions, Rested, Soon
from emulator.engine.calls import StepCalls
from emulator.engine.decide import lifecycle, rollbacks, steps
from emulator.engine.dispatch import Dispatch
from emulator.engine.halted import HaltedGuests
from emulator.engine.journal.reader import InstanceRow
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.step import StepState
from emulator.engine.roster import Roster
from emulator.engine.runs.run import CallState, Run

_CHEAP = (Status.WAITING, Status.RUNNING, Status.QUEUED)  # to go on with: no history is read


class Waker:
    """Queues and wakes instances."""

    def __init__(
        self, roster: Roster, dispatch: Dispatch, calls: StepCalls, halted: HaltedGuests
    ) -> None:
        self._roster = roster
        self._dispatch = dispatch
        self._calls = calls
        self._halted = halted

    def take_up_all(
        self, rows: Iterable[InstanceRow], moved_on: Collection[int]
    ) -> Iterator[Action]:
        """Go on with all these instances. Those whose history must be read come bit by bit.

        moved_on: keys of those whose row may be older than their history.
        """
        for row in rows:
            if row.key in moved_on or row.status not in _CHEAP:
                yield Soon(partial(self.take_up_again, row.key))
            else:
                yield from self.take_up(row, folded=False)

    def take_up(self, row: InstanceRow, *, folded: bool = True) -> Actions:
        """Go on with an instance from its row. folded: from its history if the row may be older."""
        match row.status:
            case Status.WAITING if not folded:
                self._roster.timers.set(row.key, row.wake_ms)
                return ()
            case Status.WAITING | Status.WAITING_FOR_PAUSE | Status.ROLLING_BACK:
                return self.go_on(self._roster.instance(row.key))
            case Status.RUNNING:
                return self._dispatch.enqueue(row, waking=True)
            case Status.QUEUED:
                return self._dispatch.enqueue(row)
            case _:
                return ()

    def take_up_again(self, key: int) -> Actions:
        """Go on with an instance that was forgotten, unless it goes on already."""
        row = self._roster.journal.row(key)
        if row is None or self._roster.run_of(key) or self._roster.is_queued(key):
            return ()
        with self._roster.leaving_damaged_alone():
            return self.take_up(row)
        return ()

    def go_on(self, instance: Instance) -> Actions:
        """Run an instance again that has just lost its run, unless it only waits or has ended."""
        roster, now_ms = self._roster, self._roster.clock.now_ms()
        if instance.only_waits:
            return self._wait(instance, instance.next_due_ms())
        match instance.status:
            case Status.WAITING_FOR_PAUSE:  # the attempts it waited for are gone
                decision = lifecycle.attempts_ended(instance, now_ms)
                roster.record(instance, decision.entries)
                return decision.actions
            case Status.WAITING:
                return self.rouse(instance)
            case Status.ROLLING_BACK:
                due_ms = rollbacks.retry_ms(instance)
                if due_ms is not None and due_ms > now_ms:
                    return self._wait(instance, due_ms)
                return self._dispatch.enqueue(instance, waking=True)
            case Status.RUNNING | Status.QUEUED:
                return self._dispatch.enqueue(instance, waking=True)
            case _:
                return ()

    def _wait(self, instance: Instance, due_ms: int | None) -> Actions:
        self._roster.timers.set(instance.key, due_ms)
        self._roster.evict(instance)
        return ()

    def rouse(self, instance: Instance) -> Actions:
        """Queue an instance without a run that no longer only waits, and record that it runs.

        After a crash, only its status says that it must run: it may have no deadline.
        """
        if instance.status is Status.WAITING:
            now_ms = self._roster.clock.now_ms()
            self._roster.record(instance, [Entry(instance.key, now_ms, EntryKind.WORKFLOW_RUNNING)])
        self._roster.replace(instance)
        return self._dispatch.enqueue(instance, waking=True)

    def wake(self, key: int) -> Actions:
        """Do what is due for an instance: its earliest deadline may have passed."""
        roster = self._roster
        looked_ms = roster.clock.now_ms()  # deadlines that pass during this work come later
        instance = roster.sound(key)  # None if it was deleted meanwhile
        if instance is None or instance.is_terminal or instance.status is Status.PAUSED:
            return ()
        run = roster.run_of(key)
        follows: Actions = ()
        if run is not None:
            follows = self.wake_run(run)
        elif self._wake_dormant(instance):
            follows = self.rouse(instance)
        roster.timers.set(key, instance.next_due_ms(after_ms=looked_ms))
        return follows

    def wake_run(self, run: Run) -> Actions:
        """Do what is due in a run."""
        now_ms = self._roster.clock.now_ms()
        follows: list[Action] = []
        for key, call in list(run.calls.items()):
            if call.state is CallState.ANSWERING or not run.answers(call):
                continue
            step = run.instance.steps[key]
            if call.state is CallState.EXECUTING and self._halted.halts(run):
                continue  # its attempt does not time out
            if run.state.pauses and step.state is StepState.RETRYING and not call.nested:
                continue  # the next attempt would delay the pause
            decision = steps.due(run.instance, step, now_ms)
            if decision is not None:
                if call.state is CallState.EXECUTING:
                    call.state = CallState.WAITING
                follows += self._calls.carry_out(run, key, decision)
        return [*follows, Rested(run.number)] if run.at_rest else follows

    def _wake_dormant(self, instance: Instance) -> bool:
        """Record what is due for an instance without a run; return whether it must run now."""
        now_ms = self._roster.clock.now_ms()
        must_run = instance.status is Status.WAITING and not instance.only_waits
        for step in list(instance.open.values()):
            if step.due_ms is None or step.due_ms > now_ms:
                continue
            must_run = True
            if step.state in (StepState.SLEEPING, StepState.WAITING):
                decision = steps.due(instance, step, now_ms)
                self._roster.record(instance, decision.entries if decision else [])
        return must_run

    def deliver_events(self, instance: Instance) -> Actions:
        """Give buffered events to the steps that wait for them, the longest waiting step first.

        While a pause waits for callbacks, only to steps for which these callbacks wait.
        """
        pausing = instance.status is Status.WAITING_FOR_PAUSE
        if instance.status not in (Status.RUNNING, Status.WAITING, Status.QUEUED) and not pausing:
            return ()
        run, now_ms = self._roster.run_of(instance.key), self._roster.clock.now_ms()
        follows: list[Action] = []
        for step in list(instance.open.values()):
            if step.state is not StepState.WAITING or not instance.events.get(step.event_type):
                continue
            if not instance.may_be_asked_for(step):
                continue
            call = None if run is None else run.calls.get(step.key)
            if pausing and (call is None or not call.nested):
                continue
            decision = steps.due(instance, step, now_ms) or steps.deliver(instance, step, now_ms)
            if run is not None and call is not None and run.answers(call):
                follows += self._calls.carry_out(run, step.key, decision)
                continue
            self._roster.record(instance, decision.entries)
            if run is None:
                follows += self.rouse(instance)
            elif instance.status is Status.WAITING:  # it no longer only waits, so it must run again
                follows += self._dispatch.progressed(run)
        return follows

    def skipped(self, instance: Instance) -> Actions:
        """A deadline has been moved to now: do what is due, in one commit with that."""
        self._roster.project(instance)  # the deadline may stay: a run that moves is not woken
        return self.wake(instance.key)
