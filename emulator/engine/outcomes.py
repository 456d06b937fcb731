"""How runs end: `run()` returned or raised, steps are rolled back, or something went wrong."""

from __future__ import annotations

from functools import partial

from emulator.engine.actions import (
    Actions,
    Drop,
    End,
    Evict,
    GoOn,
    Queue,
    Report,
    RollBack,
    WhenDurable,
)
from emulator.engine.calls import StepCalls
from emulator.engine.decide import endings, rollbacks, steps
from emulator.engine.decide.step_call import StepCall
from emulator.engine.model.entries import Entry
from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.step_key import StepKind
from emulator.engine.roster import Roster
from emulator.engine.runs.run import Call, CallState, Run
from emulator.engine.runs.states import Event, Gate
from emulator.errors import StateError
from emulator.protocol.message import ProtocolError
from emulator.protocol.runs import RunEnd


class Outcomes:
    """Ends instances when their runs end; before that, it rolls them back."""

    def __init__(self, roster: Roster, calls: StepCalls) -> None:
        self._roster = roster
        self._calls = calls

    def ended(self, run: Run, message: RunEnd) -> Actions:
        """`run()` returned or raised: the instance has ended, or is rolled back first."""
        if run.state.gate is Gate.REFUSING:
            return ()
        if run.state.gate is Gate.GUARDED and not message.damaged:
            if run.state.leaves:  # on the next code it may not end
                return (Drop(run.instance, message.kept), GoOn(run.instance))
            raise ProtocolError("run_end of a guarded run that has not said what it asked for")
        warnings = self._unfinished(run, "raised" if message.name else "returned")
        run.calls.clear()
        error = self._error(run, message)
        if error is None:
            now_ms = self._roster.clock.now_ms()
            success = endings.succeeded(run.instance, message.payload, now_ms)
            return (*warnings, Drop(run.instance, tell=False), End(run.instance, [success]))
        return (*warnings, *self._fail(run, error, message))

    def _unfinished(self, run: Run, ended: str) -> Actions:
        unfinished = run.unfinished()
        if not unfinished:
            return ()
        text = (
            f"{run.instance.workflow} {run.instance.id}: run() {ended} before the end of"
            f" {', '.join(unfinished)}; await every step"
        )
        return (Report(text),)

    def _error(self, run: Run, message: RunEnd) -> ErrorInfo | None:
        if not message.name:
            return endings.problem_of(message.payload)
        definition = self._roster.definitions.get(run.instance.workflow)
        return endings.raised(ErrorInfo(message.name, message.message), definition)

    def _fail(self, run: Run, error: ErrorInfo, message: RunEnd) -> Actions:
        """`run()` failed. The guest may keep the run, for its rollback handlers."""
        instance, now_ms, kept = run.instance, self._roster.clock.now_ms(), message.kept
        traceback = message.traceback
        rollback = rollbacks.start(instance, error, now_ms, terminates=False, traceback=traceback)
        if not rollback:
            end = endings.failed(instance, error, now_ms, traceback)
            return (Drop(instance, kept), End(instance, [end]))
        self._roster.record(instance, rollback)
        if not kept or run.state.leaves:
            return (Drop(instance, kept), Queue(instance))
        run.state.happens(Event.ROLLS_BACK)
        return (WhenDurable(partial(self._begin_rollback, run)),)

    def _begin_rollback(self, run: Run) -> Actions:
        """Record that the instance rolls back; once that is durable, it can never go on again."""
        if not self._roster.has(run) or run.state.leaves:
            return ()
        return (RollBack(run.number),)

    def roll_back(self, run: Run) -> Actions:
        """Execute the next rollback handler, or end the rollback and with it the instance."""
        instance, now_ms = run.instance, self._roster.clock.now_ms()
        step = rollbacks.next_step(instance)
        if step is None:
            return (Drop(instance), End(instance, rollbacks.end(instance, now_ms)))
        run.handlers += 1
        call = StepCall(StepKind.ROLLBACK, step.name, step.count, {})
        run.calls[call.key] = Call(-run.handlers, CallState.WAITING)
        return self._calls.carry_out(run, call.key, steps.begin(instance, call, now_ms))

    def mishap(self, run: Run, problem: str) -> Actions:
        """A message about a run could not be handled: its instance fails, and no other."""
        return (Drop(run.instance), End(run.instance, [self._failure(run, problem)]))

    def unreadable(self, run: Run, error: StateError | ValueError) -> Actions:
        """A message for a run cannot be made, because a recorded value cannot be read.

        After a ValueError the instance fails: a guest sent bytes that are not a value, and they
        were recorded. After any other error the next start tries it again.
        """
        if isinstance(error, ValueError):
            return self.mishap(run, f"A recorded value is damaged: {error}")
        instance = run.instance
        self._roster.tell_damage(instance.key, f"{instance.workflow} {instance.id}: {error}")
        return (Drop(instance), Evict(instance))

    def _failure(self, run: Run, problem: str) -> Entry:
        error = ErrorInfo("WorkflowInternalError", problem)
        return endings.failed(run.instance, error, self._roster.clock.now_ms())
