"""Step calls: what guests say about them, and what they are told.

`decide/steps.py` decides about a call. The decision is recorded, and when it is durable the call is
answered. Calls by callbacks, and calls of guarded runs, pass the guard first.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from emulator.engine.actions import (
    Action,
    Actions,
    Ask,
    Decision,
    Drop,
    End,
    Execute,
    Later,
    Put,
    Reject,
    Resolve,
    Rested,
    RollBack,
    Tell,
    WhenDurable,
)
from emulator.engine.decide import endings, steps
from emulator.engine.decide.step_call import StepCall
from emulator.engine.decide.step_config import shown_config
from emulator.engine.dispatch import Dispatch
from emulator.engine.divergences import Divergences
from emulator.engine.guard.callback_guard import PATIENCE_MS
from emulator.engine.guests.blame import Blame
from emulator.engine.guests.run_messages import rollback_order
from emulator.engine.model.definition import STEP_LIMIT
from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.places import SHARED
from emulator.engine.model.step import LARGE_BYTES, Left
from emulator.engine.model.step_key import CALLED, StepKind
from emulator.engine.roster import Roster
from emulator.engine.runs.idle import IdleRuns
from emulator.engine.runs.run import Call, CallState, Run
from emulator.engine.runs.states import Gate
from emulator.engine.runs.streams import Output
from emulator.json_types import Json
from emulator.protocol import values
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.runs import (
    StepBegin,
    StepDelay,
    StepDelayed,
    StepDone,
    StepEnd,
    StepFailed,
    StepRun,
)


class StepCalls:
    """Hears the step calls of all runs, and answers them."""

    def __init__(
        self,
        roster: Roster,
        dispatch: Dispatch,
        divergences: Divergences,
        blame: Blame,
        idle: IdleRuns,
    ) -> None:
        self._roster = roster
        self._dispatch = dispatch
        self._divergences = divergences
        self._blame = blame
        self._idle = idle

    # --- what guests say

    def begun(self, run: Run, message: StepBegin) -> Actions:
        """User code called a step."""
        gate = run.state.gate
        if gate is Gate.GUARDED:
            return self._divergences.hear_step(run, message)
        if gate is Gate.REFUSING:
            text = "Cannot execute steps during rollback phase"
            refusal = StepFailed(run.number, message.call, "WorkflowFatalError", text)
            return (Tell(run.number, refusal),)
        if gate is Gate.SHUT and not message.parent and not message.started:
            run.deferred.append(message)
            return ()
        parent = _caller(run, message) if message.parent else ""
        if run.nesting is None or not parent:
            return self._begin(run, message, parent)
        attempt = run.calls[parent].attempt
        may_begin = run.nesting.hear_step(message, parent, attempt, run.instance)
        if not may_begin:
            judge = partial(self._divergences.judge_callback, run, parent)
            return (Later(PATIENCE_MS, judge),)
        follows: list[Action] = []
        for each in may_begin:
            follows += self._begin(run, each, parent)
        return follows

    def _begin(self, run: Run, message: StepBegin, parent: str) -> Actions:
        if not run.calls.is_new(message.call):
            raise ProtocolError(
                f"step_begin with {message.call}, which is not the number of a new call"
            )
        kind = CALLED.get(message.kind)
        if kind is None:
            raise ProtocolError(f"{message.kind!r} is not a kind of step")
        instance = run.instance
        call = StepCall.of(message, kind, parent, instance)
        if parent and "rollback" in call.options:
            place = call.kind.value, call.name, call.nth
            run.given[SHARED if call.shared else parent, place] = message.call
        if call.key in run.calls:
            if not parent and not call.shared:
                raise ProtocolError(f'step "{call.name}" #{call.count} was begun twice')
            run.calls.join(call.key, message.call)
            return ()
        warning = self._divergences.mixed(instance, call) if call.nth and not call.shared else ()
        definition = self._roster.definitions.get(instance.workflow)
        limit = definition.step_limit if definition else STEP_LIMIT
        if call.key not in instance.steps:
            self._blame.clear(instance.key)  # it has made progress since the last loss
        decision = steps.begin(instance, call, self._roster.clock.now_ms(), limit)
        run.calls[call.key] = Call(
            message.call, CallState.WAITING, 0, bool(message.parent), message.line, message.started
        )
        follows = self.carry_out(run, call.key, decision)
        return (*warning, *follows) if warning else follows

    def ended(self, run: Run, message: StepEnd) -> Actions:
        """A callback returned or raised. The end of an attempt that is already over is ignored."""
        found = run.calls.executing_as(message.call, message.attempt)
        if found is None:
            return ()
        key, call = found
        call.state = CallState.WAITING
        instance, now_ms = run.instance, self._roster.clock.now_ms()
        self._blame.clear(instance.key)
        step = instance.steps[key]
        error = ErrorInfo(message.name, message.message)
        if message.fatal and message.stream:
            entries = endings.invalid_stream(instance, step, error, now_ms)
            return (Drop(instance), End(instance, entries))
        if message.fatal:
            entries = endings.not_serialisable(instance, step, message.message, now_ms)
            return (Drop(instance), End(instance, entries))
        if message.name:
            decision = steps.fail(instance, step, error, now_ms, message.traceback)
        elif message.stream and step.kind is StepKind.DO:
            output, call.output = call.output or Output(self._roster.journal.chunks.new()), None
            decision = steps.stored(instance, step, output.value(), now_ms)
        else:
            decision = steps.succeed(instance, step, message.payload, now_ms)
        follows = self.carry_out(run, key, decision)
        return (*follows, Rested(run.number)) if run.at_rest else follows

    def delayed(self, run: Run, message: StepDelayed) -> Actions:
        """A delay function has said how long to wait, or has failed."""
        key = run.calls.asked_after(message.call, message.attempt)
        if key is None:
            return ()
        given, problem = None, message.problem
        try:
            given = values.decode(message.payload)
        except values.MalformedValue as error:
            problem = f"returned a value that is damaged: {error}"
        instance, step = run.instance, run.instance.steps[key]
        now_ms = self._roster.clock.now_ms()
        return self.carry_out(run, key, steps.delayed(instance, step, given, problem, now_ms))

    # --- what guests are told

    def carry_out(self, run: Run, key: str, decision: Decision) -> Actions:
        """Record a decision about a call, and answer the call when that is durable."""
        answer = decision.actions[0] if decision.actions else None
        # A first start need not be durable before the callback runs: an attempt that a crash cuts
        # off is not charged to the user, so losing its entry loses nothing.
        late = type(answer) is Execute and answer.attempt == 1
        self._roster.record(run.instance, decision.entries, late=late)
        call = run.calls[key]
        if call.output is not None:
            self._roster.drop_output(run, call)
        follows: Actions = ()
        match answer:
            case Execute():
                call.state, call.attempt = CallState.EXECUTING, answer.attempt
                if not call.started or answer.attempt != 1:
                    follows = (self._order(run, key, call, answer.config),)
            case Resolve() | Reject():
                call.state = CallState.ANSWERING
                then = partial(self._answer, run, key, answer)
                follows = (WhenDurable(then),) if decision.entries else then()
            case Ask():
                call.state, call.attempt = CallState.ASKING, answer.attempt
                follows = (self._question(run, key, call, answer.error),)
            case _:
                call.state = CallState.WAITING
                self._roster.timers.set(run.instance.key, run.instance.steps[key].due_ms)
        progress = self._dispatch.progressed(run)
        return (*follows, *progress) if progress else follows

    def _order(self, run: Run, key: str, call: Call, config: dict[str, Json]) -> Action:
        """Order an attempt of a callback, or of a rollback handler with the recorded value."""
        if call.number < 0:
            return Put(run.number, self._rollback_order(run, key, call, call.attempt))
        count = run.instance.steps[key].other_count
        order = StepRun(run.number, call.number, call.attempt, config, count)
        return Tell(run.number, order)

    def _question(self, run: Run, key: str, call: Call, error: ErrorInfo) -> Action:
        """Ask the delay function of a step how long to wait after `error`."""
        step = run.instance.steps[key]
        told = run.number, call.number, call.attempt, shown_config(step.config)
        return Tell(run.number, StepDelay(*told, error.name, error.message, step.other_count))

    def _rollback_order(self, run: Run, key: str, call: Call, attempt: int) -> Iterator[Message]:
        if call.is_attempt(attempt):
            numbers = run.number, call.number, attempt
            read = self._roster.journal.value
            yield rollback_order(run.instance, key, numbers, run.given, read)

    def _answer(self, run: Run, key: str, answer: Resolve | Reject) -> Actions:
        """Answer a call, unless its run is over or goes on elsewhere."""
        call = run.calls.get(key)
        if call is None or self._roster.run(run.number) is not run or not run.answers(call):
            return ()
        run.calls.take(key)
        if call.number < 0:
            return (RollBack(run.number),)
        follows = [self._told(run, key, call, call.number, answer)]
        for number in call.earlier:
            follows.append(self._told(run, key, call, number, answer))
        if run.blocked and not run.state.leaves:
            self._idle.add(run)  # if the answered branch goes on, it is removed again
        return follows

    def _told(
        self, run: Run, key: str, call: Call, number: int, answer: Resolve | Reject
    ) -> Action:
        if isinstance(answer, Reject):
            told = answer.error.name, answer.error.message
            return Tell(run.number, StepFailed(run.number, number, *told))
        # Without a value: a `do`, whose guest has the one it sent, for that call.
        value = answer.value or (run.instance.steps[key].value if call.earlier else b"")
        if len(value) > LARGE_BYTES or type(value) is Left:
            return Put(run.number, self._large_answer(run, key, number))
        return Tell(run.number, StepDone(run.number, number, value))

    def _large_answer(self, run: Run, key: str, number: int) -> Iterator[Message]:
        value = self._roster.journal.value(run.instance.steps[key].value)
        yield StepDone(run.number, number, value)


def _caller(run: Run, message: StepBegin) -> str:
    """Return the key of the step in whose callback a call was made."""
    try:
        return run.calls.caller(message.parent)
    except KeyError:
        text = f"step_begin in the callback of call {message.parent}, which was never made"
        raise ProtocolError(text) from None
