"""The engine: instances and runs in memory, between guests that call and a journal that remembers.

Every public method is one thing that happens: a guest calls a step, a callback ends, a run ends, a
guest goes away, a deadline passes. Each asks a pure module what it means (`steps`, `lifecycle`),
records the answer (`_record`) and acts on it. Nobody is answered before the commit.

Stays whole although it is long: these methods share the run and instance tables, and every one of
them must keep calls, statuses and timers in step. What users ask for is in `control.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Any

from emulator.clock import Alarm, Clock
from emulator.engine.apart import Apart
from emulator.engine.decide import endings, lifecycle, retention, rollbacks, steps
from emulator.engine.decide.lifecycle import Effect, Verdict
from emulator.engine.decide.retries import shown_config
from emulator.engine.decide.steps import Ask, Decision, Execute, Reject, Resolve, StepCall
from emulator.engine.expiry import Expiry
from emulator.engine.guard import held, mixups
from emulator.engine.guard.callback_guard import PATIENCE_MS, Nesting, stale_children
from emulator.engine.guard.replay_guard import Guard
from emulator.engine.guard.sweep import Sweep
from emulator.engine.guests import blame
from emulator.engine.guests.blame import Blame, Loss, Present
from emulator.engine.guests.feeding import Feed
from emulator.engine.guests.guest import Guest
from emulator.engine.guests.opening import opening, rollback_order
from emulator.engine.journal import lists
from emulator.engine.journal.journal import Journal
from emulator.engine.journal.reading import DamagedHistory, InstanceRow
from emulator.engine.model import fold, identity
from emulator.engine.model.definition import STEP_LIMIT, Definition, Retention
from emulator.engine.model.divergence import Diverged, Divergence, Policy
from emulator.engine.model.entries import Entry
from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.instance_data import CodeVersion
from emulator.engine.model.kinds import EntryKind
from emulator.engine.model.places import SHARED
from emulator.engine.model.step import LARGE_BYTES, Left, StepState
from emulator.engine.model.step_key import CALLED, StepKind
from emulator.engine.runs import streams
from emulator.engine.runs.idle import IdleRuns
from emulator.engine.runs.ready import ReadyQueue
from emulator.engine.runs.run import Call, CallState, Run
from emulator.engine.runs.states import Allowance, AtRest, Event, Gate, RunState
from emulator.engine.runs.streams import Output
from emulator.engine.runs.timers import Timers
from emulator.engine.runs.turns import TURN_S, Turns
from emulator.errors import StateError
from emulator.protocol import runs as messages
from emulator.protocol import values
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.runs import RunMessage, StepFailed, StepRun, StepTaken
from emulator.sqlite import Removed

HOLD_MAX_MS = 1_000  # a guest that is asked to begin no more steps has this long to say so
RECOVERY_DELAY_MS = 1_000  # after a failed commit
_CHEAP = (Status.WAITING, Status.RUNNING, Status.QUEUED)  # to go on with: no history is read


class Engine:
    """Runs workflow instances durably. Use from the event loop's thread only."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        *,
        concurrency: int,
        grace_ms: int,
        report: Callable[[str], None],
        own_clock: Clock | None = None,
    ) -> None:
        """`own_clock` paces what is no user's business, when `clock` may stand still."""
        self.journal = journal
        self.clock = clock
        self._queue = ReadyQueue(concurrency)
        self._grace_ms = grace_ms
        self._report = report
        self._definitions: dict[str, Definition] = {}
        self._guest: Guest | None = None
        self._feed: Feed | None = None  # of that guest
        self.generation = 0  # of the code in use: its durable number, the same for the same code
        self._instances: dict[int, Instance] = {}
        self._runs: dict[int, Run] = {}
        self._run_of: dict[int, Run] = {}  # by instance key
        self._next_run = 1
        self._blame = Blame()
        self._unrecorded: set[int] = set()
        self._refused = False  # the journal could not be written the last time
        self.is_lost = False  # the journal was removed under us
        self._homeless: dict[int, str] = {}  # instance -> its workflow, which is gone, or its class
        self._damaged: set[int] = set()  # instances whose history makes no sense
        self._admitting: set[int] = set()  # new instances that the next commit queues
        self._turns = Turns()
        self._timers = Timers(clock, lambda key: self._turns.add(partial(self._wake, key)))
        self._expiry = Expiry(journal, clock, self.delete)
        self._own_clock = own_clock or clock
        self.apart = Apart(self._start_apart, self._blame, self._call_after)
        self._idle = IdleRuns(self._own_clock, clock.now_ms, self._rests)
        self.policy = Policy.HOLD
        self._configs_told: set[tuple[str, str, int]] = set()  # workflow, step, generation
        self._mixed_told: set[tuple[str, str, str]] = set()  # workflow, kind, step
        self.on_diverged: Callable[[Diverged], None] = lambda diverged: None
        self._sweep = Sweep(
            journal,
            self._own_clock,
            self._is_moving,
            self._start_probe,
            self._probed,
            self._drop_probe,
        )
        self._probes: set[int] = set()  # their run numbers
        self._closed = False
        self._dispatching = False  # `_dispatch` follows the next commit
        self._leaving: dict[int, asyncio.Future[None]] = {}  # by generation
        self._hearing: dict[type[Message], Callable[[Guest, Any], None]] = {
            messages.StepBegin: self._step_begun,
            messages.StepEnd: self._step_ended,
            messages.StepChunk: self._step_chunk,
            messages.StepDelayed: self._step_delayed,
            messages.StreamRead: self._stream_read,
            messages.RunEnd: self._run_ended,
            messages.RunAsking: self._run_asking,
            messages.Replayed: self._replayed,
        }
        journal.on_failure = self._commit_failed

    # --- life

    def start(self) -> list[InstanceRow]:
        """Take up every unfinished instance of the journal; return them all."""
        rows = self.journal.unfinished()
        moved_on = self.journal.moved_on()
        for row in rows:
            if row.key in moved_on or row.status not in _CHEAP:
                self._turns.add(partial(self._take_up_again, row.key))
            else:
                self._take_up(row, folded=False)
        self._expiry.start()
        return rows

    def _take_up(self, row: InstanceRow, *, folded: bool = True) -> None:
        """Go on with an instance from its row; `folded`: from its history where the row may lag."""
        match row.status:
            case Status.WAITING if folded:
                self._continue(self.instance(row.key))
            case Status.WAITING:
                self._timers.set(row.key, row.wake_ms)
            case Status.WAITING_FOR_PAUSE:  # the attempts it waited for are gone
                self._obey(
                    self.instance(row.key),
                    lifecycle.attempts_ended(self.instance(row.key), self.clock.now_ms()),
                )
            case Status.RUNNING:
                self._enqueue(row, waking=True)
            case Status.QUEUED:
                self._enqueue(row)
            case Status.ROLLING_BACK:
                self._continue(self.instance(row.key))
            case _:
                return

    def _take_up_again(self, key: int) -> None:
        row = self.journal.row(key)
        if row is None or key in self._run_of or self._is_queued(key):
            return
        with self._leaving_damaged_alone():
            self._take_up(row)

    def define(self, definitions: Iterable[Definition]) -> None:
        """Set the workflows that exist from now on, and how many of each may run at once."""
        self._definitions = {definition.name: definition for definition in definitions}
        self._queue.limits = {
            definition.name: definition.concurrency
            for definition in self._definitions.values()
            if definition.concurrency is not None
        }

    def tune(self, *, concurrency: int, grace_ms: int) -> None:
        """Use these limits from now on."""
        self._queue.concurrency = concurrency
        self._grace_ms = grace_ms
        self._dispatch_soon()

    def stop(self) -> None:
        """Drop every run and timer; what is in flight continues at the next start."""
        self._closed = True
        self._turns.stop()
        self._timers.stop()
        self._expiry.stop()
        self._sweep.stop()
        self.apart.stop()
        for run in list(self._runs.values()):
            self._drop(run)

    # --- guests

    def use_guest(self, guest: Guest, code: str = "") -> None:
        """Run everything in `guest` from now on; runs elsewhere move there.

        A run whose callbacks are in flight gets `grace_ms` to end them where it is.

        code: equal for equal user code, whenever it was loaded; without it every guest number is
        taken for a version of its own.
        """
        self._sweep.stop()
        self._guest = guest
        self._feed = Feed(guest, self._dispatch_soon)
        if self._take_code(guest, code):
            self._blame.forget_all()
            self._let_in(self.apart.retire())
        stays = (guest, self.apart.guest)
        leaving = [run for run in self._runs.values() if run.guest not in stays]
        for run in leaving:
            run.state.happens(Event.LEAVE)
        self._each(self._leave, leaving)
        if leaving:
            self._call_after(HOLD_MAX_MS, partial(self._each, self._leave_in_silence, leaving))
            self._call_after(self._grace_ms, partial(self._each, self._leave_late, leaving))
        for key, workflow in sorted(self._homeless.items()):
            self._queue.add(key, workflow, waking=False)
        self._homeless.clear()
        self._sweep.begin(self.generation)
        self._dispatch_soon()

    def _take_code(self, guest: Guest, code: str) -> bool:
        """Take over the code that `guest` has loaded; return whether it is other code."""
        before = self.generation
        code = code or f"guest {guest.generation}"
        self.generation = self.journal.generation(code, self.clock.now_ms())
        return self.generation != before

    def _let_in(self, keys: list[int]) -> None:
        """Start instances in the guest that serves: they are suspected no more."""
        for key in keys:
            self._queue.vacate(key)
            self._take_up_again(key)

    def use_apart(self, guest: Guest, code: str = "") -> None:
        """Let suspects begin in `guest`, which was asked for, if it is still of the code in use."""
        code = code or f"guest {guest.generation}"
        if self.journal.generation(code, self.clock.now_ms()) == self.generation:
            self.apart.use(guest)
        else:
            self.apart.close(guest.generation)
            self.apart.failed()

    def _start_apart(self, key: int, guest: Guest, feed: Feed) -> Run | None:
        self._queue.vacate(key)  # its own place, which it takes up again
        if key in self._run_of or key in self._unrecorded or self._closed or self._refused:
            return None
        instance = self.sound(key)
        if instance is not None:
            self._start_run(instance, guest, feed)
        return self._run_of.get(key)

    def _each(self, work: Callable[[Run], None], runs: list[Run]) -> None:
        """Do something with each of these runs that is still there when it is its turn."""

        def do(run: Run) -> None:
            if self._runs.get(run.number) is run and not self._closed:
                work(run)

        for run in runs:
            self._turns.add(partial(do, run))

    def _leave(self, run: Run) -> None:
        """Take a run off its old guest, now if it is at rest, or when its callbacks end."""
        if run.at_rest:
            self._move_on(run)
        else:
            self._recall(run)

    async def released(self, guest: Guest) -> None:
        """Return once no run is left in `guest`."""
        if any(run.guest is guest for run in self._runs.values()):
            future = asyncio.get_running_loop().create_future()
            await self._leaving.setdefault(guest.generation, future)

    def guest_lost(self, guest: Guest, loss: Loss) -> None:
        """A guest ended by itself: who is to blame is charged, and all its runs start again."""
        others = loss.others
        if self._guest is guest:
            others = others or bool(self._probes)
            self._sweep.stop()
            self._guest = None
        self.apart.lost(guest)
        lost = [run for run in self._runs.values() if run.guest is guest]
        present = [
            Present(run.instance.key, run.number, not run.blocked)
            for run in lost
            if run.state.allowance is not Allowance.OPENING
        ]
        others = others or any(run.feed.is_aborting for run in lost)
        blamed, suspects = self._blame.lost(replace(loss, others=others), present)
        if suspects:
            each = (run.instance for run in lost if run.instance.key in suspects)
            self._report(blame.suspicion([f"{one.workflow} {one.id}" for one in each]))
        if blamed:
            self._let_in(self.apart.release())
        for run in lost:
            run.feed.stop()
        self._each(lambda run: self._lose(run, loss, run.instance.key in blamed), lost)

    def _lose(self, run: Run, loss: Loss, is_to_blame: bool) -> None:
        instance, now_ms = run.instance, self.clock.now_ms()
        error = endings.guest_lost(loss.reason)
        in_steps = False
        for key, call in run.calls.items():
            if call.state is CallState.EXECUTING:
                in_steps = True
                step = instance.steps[key]
                if is_to_blame:
                    self._record(instance, steps.fail(instance, step, error, now_ms).entries)
                else:
                    self._record(instance, [steps.interrupt(instance, step, now_ms, "loss")])
        self._forget(run)
        if is_to_blame and not in_steps and self._blame.is_hopeless(instance.key):
            losses = self._blame.losses(instance.key)
            self._end(instance, [endings.hopeless(instance, losses, loss.reason, now_ms)])
            return
        self._obey(instance, lifecycle.attempts_ended(instance, now_ms))
        self._continue(instance)

    def work_of(self, guest: Guest) -> list[str]:
        """Return what `guest` is doing for workflows, in words, for the person at the terminal."""
        work = []
        for run in self._runs.values():
            if run.guest is not guest:
                continue
            where = f'{run.instance.workflow} instance "{run.instance.id}"'
            executing = [
                f'{where}, step "{run.instance.steps[key].name}"'
                f" #{run.instance.steps[key].count}, attempt {call.attempt}"
                for key, call in run.calls.items()
                if call.state is CallState.EXECUTING
            ]
            work += executing or ([] if run.calls else [f"{where}, outside steps"])
        return work

    def _leave_in_silence(self, run: Run) -> None:
        """Take a run off a guest that does not say what it has begun: most likely it hangs."""
        if not run.state.knows_all and not run.executing:
            self._move_on(run)

    def _leave_late(self, run: Run) -> None:
        """Take a run off its old guest though callbacks of it execute there: their time is over."""
        self._interrupt(run)
        self._move_on(run)

    def _move_on(self, run: Run) -> None:
        """Take a run off its old guest; what still executes there is cut off and runs again."""
        self._drop(run)
        self._obey(run.instance, lifecycle.attempts_ended(run.instance, self.clock.now_ms()))
        self._continue(run.instance)

    def _interrupt(self, run: Run) -> None:
        """Record that the callbacks in flight are cut off because of other code."""
        now_ms = self.clock.now_ms()
        for key, call in run.calls.items():
            if call.state is CallState.EXECUTING:
                entry = steps.interrupt(run.instance, run.instance.steps[key], now_ms, "reload")
                self._record(run.instance, [entry])

    def _continue(self, instance: Instance) -> None:
        """Run an instance again that has just lost its run, unless it only waits or has ended."""
        if instance.only_waits:
            self._timers.set(instance.key, instance.next_due_ms())
            self._evict(instance)
        elif instance.status is Status.WAITING:
            self._rouse(instance)
        elif instance.status is Status.ROLLING_BACK:
            due_ms = rollbacks.retry_ms(instance)
            if due_ms is None or due_ms <= self.clock.now_ms():
                self._enqueue(instance, waking=True)
            else:
                self._timers.set(instance.key, due_ms)
                self._evict(instance)
        elif instance.status in (Status.RUNNING, Status.QUEUED):
            self._enqueue(instance, waking=True)

    # --- what guests say

    def hear(self, guest: Guest, message: RunMessage) -> None:
        """A workflow run says something. Raises ProtocolError for what no guest says."""
        self._hearing[type(message)](guest, message)

    def _step_begun(self, guest: Guest, message: messages.StepBegin) -> None:
        """User code called a step."""
        run = self._runs.get(message.run)
        if run is None:
            self._sweep.hear_step(message, self.clock.now_ms())
            return
        if run.guest is not guest:
            return
        match run.state.gate:
            case Gate.GUARDED:
                assert run.guard is not None
                run.guard.hear_step(message, self.clock.now_ms())
                self._judge(run)
                return
            case Gate.REFUSING:
                text = "Cannot execute steps during rollback phase"
                guest.send(StepFailed(run.number, message.call, "WorkflowFatalError", text))
                return
            case Gate.SHUT if not message.parent and not message.started:
                run.deferred.append(message)
                return
        parent = _caller(run, message)
        if run.nesting is None or not parent:
            self._begin_step(run, message, parent)
            return
        attempt = run.calls[parent].attempt
        may_begin = run.nesting.hear_step(message, parent, attempt, run.instance)
        for each in may_begin:
            self._begin_step(run, each, parent)
        if not may_begin:
            self._call_after(PATIENCE_MS, partial(self._judge_callback, run, parent))

    def _begin_step(self, run: Run, message: messages.StepBegin, parent: str) -> None:
        if not run.calls.is_new(message.call):
            raise ProtocolError(f"step_begin with {message.call}, which is no number of a new call")
        instance = run.instance
        call = StepCall.of(message, _kind(message), parent, instance)
        if parent and "rollback" in call.options:
            place = call.kind.value, call.name, call.nth
            run.given[SHARED if call.shared else parent, place] = message.call
        if call.key in run.calls:
            if not parent and not call.shared:
                raise ProtocolError(f'step "{call.name}" #{call.count} was begun twice')
            run.calls.join(call.key, message.call)
            return
        if call.nth and not call.shared:
            self._tell_mixed(instance, call)
        definition = self._definitions.get(instance.workflow)
        limit = definition.step_limit if definition else STEP_LIMIT
        if call.key not in instance.steps:
            self._blame.clear(instance.key)  # it got further than the last time
        decision = steps.begin(instance, call, self.clock.now_ms(), limit)
        entered = Call(
            message.call, CallState.WAITING, 0, bool(message.parent), message.line, message.started
        )
        run.calls[call.key] = entered
        self._carry_out(run, call.key, decision)

    def _step_ended(self, guest: Guest, message: messages.StepEnd) -> None:
        """A callback returned or raised. The end of an attempt that is over already is ignored."""
        run = self._run_in(guest, message.run)
        if run is None:
            return
        key = run.calls.key_of(message.call)
        if key is None or not run.calls[key].is_attempt(message.attempt):
            return
        call = run.calls[key]
        call.state = CallState.WAITING
        instance, now_ms = run.instance, self.clock.now_ms()
        self._blame.clear(instance.key)
        step = instance.steps[key]
        error = ErrorInfo(message.name, message.message)
        if message.fatal:
            self._drop(run)
            self._end(
                instance,
                endings.invalid_stream(instance, step, error, now_ms)
                if message.stream
                else endings.not_serialisable(instance, step, message.message, now_ms),
            )
            return
        if message.name:
            decision = steps.fail(instance, step, error, now_ms)
        elif message.stream and step.kind is StepKind.DO:
            output, call.output = call.output or Output(self.journal.chunks.new()), None
            decision = steps.stored(instance, step, output.value(), now_ms)
        else:
            decision = steps.succeed(instance, step, message.payload, now_ms)
        self._carry_out(run, key, decision)
        if run.at_rest:
            self._come_to_rest(run)

    def _step_chunk(self, guest: Guest, message: messages.StepChunk) -> None:
        """The callback of an attempt returned a stream, and this is the next piece of it."""
        run = self._run_in(guest, message.run)
        if run is None:
            return
        key = run.calls.key_of(message.call)
        if key is None or not run.calls[key].is_attempt(message.attempt):
            guest.send(StepTaken(run.number, message.call, message.attempt, over=True))
            return
        call, instance = run.calls[key], run.instance
        if call.output is None:
            call.output = Output(self.journal.chunks.new())
        position = call.output.take(message.payload)
        if run.streamed is None:
            run.streamed = self.journal.chunks.bytes_of(instance.key)
        run.streamed += len(message.payload)
        if run.streamed > streams.STORAGE_MAX_BYTES:
            self._drop(run)
            step = instance.steps[key]
            self._end(instance, endings.storage_full(instance, step, self.clock.now_ms()))
            return
        self.journal.chunks.add(instance.key, call.output.id, position, message.payload)
        self.journal.after_commit(partial(self._chunk_taken, run, message))

    def _chunk_taken(
        self, run: Run, message: messages.StepChunk, error: sqlite3.Error | None
    ) -> None:
        if error is None and self._runs.get(run.number) is run:
            run.guest.send(StepTaken(run.number, message.call, message.attempt))

    def _stream_read(self, guest: Guest, message: messages.StreamRead) -> None:
        """User code reads a stream that a step has returned."""
        run = self._runs.get(message.run)
        if run is None:
            key, feed = self._sweep.instance_of(message.run), self._feed
        else:
            key, feed = run.instance.key if run.guest is guest else None, run.feed
            if run in self._idle:  # it does not only wait: it gets another moment
                self._idle.remove(run)
                self._idle.add(run)
        if key is not None and feed is not None:
            feed.put(streams.piece(self.journal, key, message) for _ in range(1))

    def _drop_output(self, run: Run, call: Call) -> None:
        """Delete what an attempt has sent of its stream: it has not succeeded."""
        if call.output is not None:
            self.journal.chunks.drop(run.instance.key, call.output.id)
            if run.streamed is not None:
                run.streamed -= call.output.size
            call.output = None

    def _drop_leftovers(self, instance: Instance) -> None:
        """Delete streams of attempts that did not succeed; none may be in flight."""
        if self.journal.chunks.has(instance.key):
            self.journal.chunks.keep(instance.key, streams.kept_streams(instance))

    def _run_in(self, guest: Guest, number: int) -> Run | None:
        """Return a run, if `guest` is where it is: a guest may only speak of its own."""
        run = self._runs.get(number)
        return run if run is not None and run.guest is guest else None

    def _run_asking(self, guest: Guest, message: messages.RunAsking) -> None:
        """The guest begins no step of a run by itself any more, and has told what it has begun."""
        run = self._run_in(guest, message.run)
        if run is None:
            return
        self._knows_all(run)
        if not run.blocked:
            run.state.happens(Event.GOES_ON)
        if run.at_rest:
            self._come_to_rest(run)

    async def held(self, instance: Instance) -> None:
        """Return once it is known which callbacks of an instance are in flight.

        A guest that does not say so within `HOLD_MAX_MS` is taken to execute some.
        """
        run = self._run_of.get(instance.key)
        if run is None or run.state.knows_all:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.waiters.append(future)
        alarm = self._call_after(HOLD_MAX_MS, partial(_settle, future))
        self._recall(run)
        try:
            await future
        finally:
            alarm.cancel()

    def _knows_all(self, run: Run) -> None:
        run.state.happens(Event.ASKS)
        for future in run.waiters:
            _settle(future)
        run.waiters.clear()

    def _recall(self, run: Run) -> None:
        """Let the guest ask before every step of a run, and say so."""
        if run.state.happens(Event.RECALL):
            run.guest.send(messages.RunAskFirst(run.number))

    def _come_to_rest(self, run: Run) -> None:
        """No callback of a run is in flight: what has waited for that happens."""
        match run.state.at_rest:
            case AtRest.PAUSE | AtRest.PAUSE_OR_MOVE:
                now_ms = self.clock.now_ms()
                self._obey(run.instance, lifecycle.attempts_ended(run.instance, now_ms))
            case AtRest.MOVE:
                self._move_on(run)
            case AtRest.DROP if run.blocked:
                self._drop_idle(run)
            case _:
                return

    def _step_delayed(self, guest: Guest, message: messages.StepDelayed) -> None:
        """A delay function has said how long to wait, or has failed."""
        run = self._run_in(guest, message.run)
        if run is None:
            return
        key = run.calls.key_of(message.call)
        if key is None or not run.calls[key].is_asked(message.attempt):
            return
        given, problem = None, message.problem
        try:
            given = values.decode(message.payload)
        except values.MalformedValue as error:
            problem = f"returned a value that is damaged: {error}"
        instance, step = run.instance, run.instance.steps[key]
        decision = steps.delayed(instance, step, given, problem, self.clock.now_ms())
        self._carry_out(run, key, decision)

    def _run_ended(self, guest: Guest, message: messages.RunEnd) -> None:
        """`run()` returned or raised: the instance has ended, or is rolled back first."""
        run = self._run_in(guest, message.run)
        if run is None or run.instance.status is Status.ROLLING_BACK:
            return
        if run.state.gate is Gate.GUARDED and not message.damaged:
            raise ProtocolError("run_end of a guarded run that has not said what it asked for")
        instance, now_ms = run.instance, self.clock.now_ms()
        unfinished = run.unfinished()
        if unfinished:
            ended = "raised" if message.name else "returned"
            self._report(
                f"{instance.workflow} {instance.id}: run() {ended} before the end of"
                f" {', '.join(unfinished)}; await every step"
            )
        run.calls.clear()
        error = endings.problem_of(message.payload)
        if message.name:
            definition = self._definitions.get(instance.workflow)
            error = endings.raised(ErrorInfo(message.name, message.message), definition)
        if error is None:
            self._forget(run)
            self._end(instance, [endings.succeeded(instance, message.payload, now_ms)])
            return
        rollback = rollbacks.start(instance, error, now_ms, terminates=False)
        if rollback and message.kept and not run.state.leaves:
            self._record(instance, rollback)
            run.state.happens(Event.ROLLS_BACK)
            self.journal.after_commit(partial(self._begin_rollback, run))
            return
        if message.kept:
            self._drop(run)
        else:
            self._forget(run)
        if rollback:
            self._record(instance, rollback)
            self._enqueue(instance, waking=True)
        else:
            self._end(instance, [endings.failed(instance, error, now_ms)])

    def mishap(self, guest: Guest, number: int, problem: str) -> None:
        """A message about a run could not be handled: its instance fails, and no other."""
        run = self._run_in(guest, number)
        if run is not None:
            self._drop(run)
            error = ErrorInfo("WorkflowInternalError", problem)
            self._end(run.instance, [endings.failed(run.instance, error, self.clock.now_ms())])

    def _begin_rollback(self, run: Run, error: sqlite3.Error | None) -> None:
        """That it rolls back is durable: it can never go on as if nothing had been undone."""
        if error is None and self._runs.get(run.number) is run and not run.state.leaves:
            self._roll_back(run)

    def _roll_back(self, run: Run) -> None:
        """Execute the next rollback handler, or end the rollback and with it the instance."""
        instance, now_ms = run.instance, self.clock.now_ms()
        step = rollbacks.next_step(instance)
        if step is None:
            self._drop(run)
            self._end(instance, rollbacks.end(instance, now_ms))
            return
        run.handlers += 1
        call = StepCall(StepKind.ROLLBACK, step.name, step.count, {})
        run.calls[call.key] = Call(-run.handlers, CallState.WAITING)
        self._carry_out(run, call.key, steps.begin(instance, call, now_ms))

    def all_heard(self) -> None:
        """Everything that guests have said by now is decided: record it and answer, at once."""
        self.journal.end_turn()

    # --- the guard: does new code fit what an instance has done

    def _replayed(self, guest: Guest, message: messages.Replayed) -> None:
        """A guarded run has come to some point without any new step."""
        run = self._runs.get(message.run)
        if run is None:
            self._sweep.hear(message, self.clock.now_ms())
        elif run.guest is guest and run.state.gate is Gate.GUARDED:
            assert run.guard is not None
            run.guard.hear(message)
            self._judge(run)

    def _judge(self, run: Run) -> None:
        guard = run.guard
        assert guard is not None
        if not guard.is_decided:
            return
        divergence = guard.divergence(self.clock.now_ms())
        if divergence is not None:
            self._diverge(run.instance, divergence)
            return
        run.guard = None
        run.state.happens(Event.FITS)
        self._tell_configs(run.instance, guard.other_configs())
        self._record(run.instance, [self._code_changed(run.instance)])
        run.guest.send(messages.RunRelease(run.number))
        for message in guard.begun:
            self._step_begun(run.guest, message)

    def _judge_callback(self, run: Run, parent: str, waited_ms: int = PATIENCE_MS) -> None:
        """A callback has not asked for all that it had done, and has asked for something new.

        What else executes in the run may end first, within the grace.
        """
        if self._runs.get(run.number) is not run or run.guest is not self._guest or self._closed:
            return
        assert run.nesting is not None
        instance = run.instance
        divergence = run.nesting.divergence(parent, instance, self.clock.now_ms())
        if divergence is None:
            return
        run.state.happens(Event.LEAVE)
        if waited_ms < self._grace_ms and not run.only_executes(parent):
            again = partial(self._judge_callback, run, parent, waited_ms + PATIENCE_MS)
            self._call_after(PATIENCE_MS, again)
        elif instance.status is Status.WAITING_FOR_PAUSE:  # what is asked for on resuming counts
            self._leave_late(run)
        else:
            self._interrupt(run)
            self._diverge(instance, divergence)

    def _tell_mixed(self, instance: Instance, call: StepCall) -> None:
        """Say once that the official engine may take a new nested step for another one."""
        other = mixups.mixed_with(instance, call)
        said = (instance.workflow, call.kind.value, call.name)
        if not other or said in self._mixed_told or identity.is_recorded(instance, call.key):
            return
        self._mixed_told.add(said)
        self._report(mixups.warning(instance, call, other))

    def _tell_configs(self, instance: Instance, names: list[str]) -> None:
        """Say, once for each step and version of the code, that a recorded configuration stays."""
        for name in names:
            said = (instance.workflow, name, self.generation)
            if said not in self._configs_told:
                self._configs_told.add(said)
                self._report(
                    f'{instance.workflow}: step "{name}" has another configuration now; where it'
                    " has begun, the recorded one stays until it has ended"
                )

    def _diverge(self, instance: Instance, divergence: Divergence) -> None:
        """Record that the code does not fit an instance, and do what the policy says."""
        action = held.action_for(divergence, self.policy)
        told = Diverged(instance.workflow, instance.id, divergence, action)
        if action is Policy.HOLD and held.is_known(instance, divergence):
            self.on_diverged(told)
            return
        now_ms = self.clock.now_ms()
        entries = held.diverged(instance, divergence, action, self.generation, now_ms)
        self._record(instance, entries)
        run = self._run_of.get(instance.key)
        if run is not None:
            self._drop(run)
        if action is Policy.WARN:  # at once: what it waited for may be no more
            self._rouse(instance)
        self._evict(instance)
        self.journal.after_commit(lambda error: None if error else self.on_diverged(told))

    def _is_moving(self, key: int) -> bool:
        run = self._run_of.get(key)
        return run is not None and run.guest is not self._guest

    def _start_probe(self, key: int) -> tuple[int, Guard] | None:
        """Replay a dormant instance to see whether the code still fits it."""
        row, guest = self.journal.row(key), self._guest
        if row is None or guest is None or key in self._run_of or self._is_queued(key):
            return None
        instance = self.sound(key)
        if instance is None:
            return None
        definition = self._definitions.get(instance.workflow)
        known = definition is not None and definition.class_name in guest.loaded.workflows
        if not known or not self._is_dormant(instance):
            return None
        assert definition is not None and self._feed is not None
        number = self._next_run
        self._next_run += 1
        self._probes.add(number)
        read = self.journal.value
        begins = opening(number, instance, definition.class_name, probe=True, read=read)
        self._feed.put(self._probe_opening(number, begins))
        return number, Guard(instance)

    def _probe_opening(self, number: int, opening: Iterator[Message]) -> Iterator[Message]:
        try:
            while number in self._probes and (message := next(opening, None)) is not None:
                yield message
        except (ValueError, StateError):  # a damaged value: its next run says so
            return

    def _is_dormant(self, instance: Instance) -> bool:
        return instance.is_held or instance.status is Status.WAITING

    def _drop_probe(self, number: int) -> None:
        self._probes.discard(number)
        if self._guest is not None:
            self._guest.send(messages.RunAbort(number))

    def _probed(self, key: int, divergence: Divergence | None) -> None:
        """A probe has ended: hold what does not fit, let go on what fits again."""
        if self.journal.row(key) is None or key in self._run_of or self._is_queued(key):
            return
        instance = self.sound(key)
        if instance is None or not self._is_dormant(instance):
            return
        if divergence is None and instance.is_held:
            divergence = held.unseen(instance, self.generation)
        if divergence is not None:
            self._diverge(instance, divergence)
        elif instance.is_held:
            verdict = held.fits_again(instance, self.generation, self.clock.now_ms())
            self.obey(instance, verdict)

    def _end(self, instance: Instance, entries: list[Entry]) -> None:
        self._record(instance, entries)
        self._blame.clear(instance.key)
        self._evict(instance)

    # --- carrying out

    def _carry_out(self, run: Run, key: str, decision: Decision) -> None:
        """Record a decision about a call and answer the call, once that is durable."""
        # A first start need not be durable before the callback runs: an attempt that a crash cuts
        # off is not charged to the user, so losing its entry loses nothing.
        late = type(decision.answer) is Execute and decision.answer.attempt == 1
        self._record(run.instance, decision.entries, late=late)
        call = run.calls[key]
        if call.output is not None:
            self._drop_output(run, call)
        match decision.answer:
            case Execute(attempt, config):
                call.state, call.attempt = CallState.EXECUTING, attempt
                if call.started and attempt == 1:
                    pass
                elif call.number > 0:
                    count = run.instance.steps[key].other_count
                    run.guest.send(StepRun(run.number, call.number, attempt, config, count))
                else:
                    run.feed.put(self._order(run, key, call, attempt))
            case Resolve() | Reject() as answer:
                call.state = CallState.ANSWERING
                send = partial(self._answer, run, key, answer)
                if decision.entries:
                    self.journal.after_commit(send)
                else:
                    send(None)
            case Ask(attempt, error):
                call.state, call.attempt = CallState.ASKING, attempt
                step = run.instance.steps[key]
                told = run.number, call.number, attempt, shown_config(step.config)
                of = error.name, error.message, step.other_count
                run.guest.send(messages.StepDelay(*told, *of))
            case None:
                call.state = CallState.WAITING
                self._timers.set(run.instance.key, run.instance.steps[key].due_ms)
        self._note_progress(run)

    def _answer(
        self, run: Run, key: str, answer: Resolve | Reject, error: sqlite3.Error | None
    ) -> None:
        if error is not None or self._runs.get(run.number) is not run or key not in run.calls:
            return
        if not run.answers(run.calls[key]):
            return
        call = run.calls.take(key)
        if call.number < 0:
            self._roll_back(run)
            return
        for number in (call.number, *call.earlier):
            match answer:
                case Resolve(value):
                    # Without a value: a `do`, whose guest has the one it sent, for that call.
                    value = value or (run.instance.steps[key].value if call.earlier else b"")
                    if len(value) > LARGE_BYTES or type(value) is Left:
                        run.feed.put(self._large_answer(run, key, number))
                    else:
                        run.guest.send(messages.StepDone(run.number, number, value))
                case Reject(problem):
                    told = problem.name, problem.message
                    run.guest.send(StepFailed(run.number, number, *told))
        if run.blocked and not run.state.leaves:
            self._idle.add(run)  # unless the branch that has just been answered goes on

    def _large_answer(self, run: Run, key: str, number: int) -> Iterator[Message]:
        if self._runs.get(run.number) is run:
            with self._reading(run):
                value = self.journal.value(run.instance.steps[key].value)
                yield messages.StepDone(run.number, number, value)

    def _order(self, run: Run, key: str, call: Call, attempt: int) -> Iterator[Message]:
        """Order a rollback handler, which gets the value of its step."""
        if self._runs.get(run.number) is run and call.is_attempt(attempt):
            with self._reading(run):
                numbers = run.number, call.number, attempt
                yield rollback_order(run.instance, key, numbers, run.given, self.journal.value)

    @contextmanager
    def _reading(self, run: Run) -> Iterator[None]:
        """Leave an instance alone whose values cannot be read; the next start tries it again."""
        try:
            yield
        except StateError as error:
            self._drop(run)
            self._evict(run.instance)
            if run.instance.key not in self._damaged:
                self._damaged.add(run.instance.key)
                self._report(f"{run.instance.workflow} {run.instance.id}: {error}")

    def _note_progress(self, run: Run) -> None:
        """Keep the status of an instance in step with what its run is doing."""
        instance = run.instance
        if run.blocked and not run.state.leaves:
            if instance.status is Status.RUNNING:
                self._record(
                    instance,
                    [Entry(instance.key, self.clock.now_ms(), EntryKind.WORKFLOW_WAITING)],
                )
                self._queue.vacate(instance.key)
                self._dispatch_soon()
            elif instance.status is Status.WAITING:
                self._project(instance)
            self._idle.add(run)
            self.apart.rests(run)
            return
        if instance.status is Status.WAITING:
            self._queue.occupy(instance.key, instance.workflow)
            self._record(
                instance, [Entry(instance.key, self.clock.now_ms(), EntryKind.WORKFLOW_RUNNING)]
            )
        self._idle.remove(run)

    def _rests(self, run: Run) -> None:
        """A run has only waited for its moment: it is dropped, once it is known that it does."""
        if run.blocked:
            run.state.happens(Event.IDLE)
            self._recall(run)
            if run.at_rest:
                self._come_to_rest(run)

    def _drop_idle(self, run: Run) -> None:
        """A run that only waits gives its guest's memory back; it is replayed when it is due."""
        if run.instance.status is Status.RUNNING:
            self._record(
                run.instance,
                [Entry(run.instance.key, self.clock.now_ms(), EntryKind.WORKFLOW_WAITING)],
            )
        self._drop(run)
        self._evict(run.instance)

    def _record(self, instance: Instance, entries: Sequence[Entry], *, late: bool = False) -> None:
        status = instance.status
        self.journal.append(*entries, late=late)
        for entry in entries:
            fold.apply(instance, entry)
            if entry.step:
                self._timers.set(instance.key, instance.steps[entry.step].due_ms)
        if entries and entry.step and len(entry.value) > LARGE_BYTES:  # the disk keeps it
            instance.steps[entry.step].value = self.journal.left(instance.key)
        if instance.status is not status:
            self._project(instance)

    def _project(self, instance: Instance) -> None:
        """Write what the instances table repeats of the fold."""
        waiting = instance.status is Status.WAITING
        wake_ms = instance.next_due_ms() if waiting else None
        definition = self._definitions.get(instance.workflow)
        default = definition.retention if definition else Retention()
        expires_ms = retention.expires_ms(instance, default)
        self.journal.set_status(
            instance.key, instance.status, wake_ms, instance.ended_ms, expires_ms
        )
        self._expiry.expect(expires_ms)
        if instance.is_terminal:
            self._drop_leftovers(instance)
        if instance.is_terminal or instance.status in (Status.PAUSED, Status.ROLLING_BACK):
            self._timers.forget(instance.key)

    # --- operations on an instance (control.py decides which)

    def instance(self, key: int, *, steps: bool = True) -> Instance:
        """Return an instance, from memory or folded from the journal. Raises KeyError.

        steps: False where they are not needed.
        """
        instance = self._instances.get(key)
        return self.journal.load(key, steps=steps) if instance is None else instance

    def sound(self, key: int) -> Instance | None:
        """Return an instance; None when its history is damaged, or there is none."""
        with self._leaving_damaged_alone(), suppress(KeyError):
            return self.instance(key)
        return None

    @contextmanager
    def _leaving_damaged_alone(self) -> Iterator[None]:
        """Keep what the disk has done to one instance from all others; it is told once."""
        try:
            yield
        except DamagedHistory as error:
            if error.key not in self._damaged:
                self._damaged.add(error.key)
                self._report(str(error))

    def admit(self, instance: Instance, entry: Entry) -> None:
        """Take in a new instance; it is queued once its first entry is durable."""
        self._instances[instance.key] = instance
        self._admitting.add(instance.key)
        self._record(instance, [entry])
        self.journal.after_commit(partial(self._admitted, instance))

    def _admitted(self, instance: Instance, error: sqlite3.Error | None) -> None:
        if instance.key in self._admitting:  # or it has been deleted in the same turn
            self._admitting.discard(instance.key)
            if error is None:
                self._enqueue(instance)

    @property
    def queued(self) -> int:
        """How many instances wait for a place to run."""
        return len(self._queue) + len(self.apart) + len(self._admitting)

    def is_executing(self, instance: Instance) -> bool:
        """Whether a callback of this instance is in flight, or may be."""
        run = self._run_of.get(instance.key)
        return run is not None and not run.at_rest

    def obey(self, instance: Instance, verdict: Verdict) -> None:
        """Carry out what `lifecycle` decided for a user."""
        self._instances.setdefault(instance.key, instance)
        self._obey(self._instances[instance.key], verdict)
        self._evict(instance)

    def deliver_events(self, instance: Instance) -> None:
        """Hand buffered events to the steps that wait for them, the longest waiting first.

        While a pause waits for callbacks to end, only to what these wait for.
        """
        pausing = instance.status is Status.WAITING_FOR_PAUSE
        if instance.status not in (Status.RUNNING, Status.WAITING, Status.QUEUED) and not pausing:
            return
        run, now_ms = self._run_of.get(instance.key), self.clock.now_ms()
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
                self._carry_out(run, step.key, decision)
                continue
            self._record(instance, decision.entries)
            if run is None:
                self._rouse(instance)
            elif instance.status is Status.WAITING:  # no longer only that, and it is to run again
                self._note_progress(run)

    def skip(self, instance: Instance, skipped: Entry) -> None:
        """Record that a deadline has been moved to now, and do what is due, in one commit."""
        self._instances.setdefault(instance.key, instance)
        self._record(instance, [skipped])
        self._project(instance)  # the deadline may stay: a run that leaves its guest is not woken
        self._wake(instance.key)
        self._evict(instance)

    def _obey(self, instance: Instance, verdict: Verdict) -> None:
        run = self._run_of.get(instance.key)
        match verdict.effect:
            case Effect.RESTART:
                self._start_over(instance, verdict)
            case Effect.HOLD:
                self._record(instance, verdict.entries)
                if run is not None:
                    run.state.happens(Event.PAUSE)
                    self._recall(run)
            case Effect.DROP:
                self._record(instance, verdict.entries)
                if run is not None:
                    self._drop(run)
                self._evict(instance)
            case Effect.ROLL_BACK:
                self._record(instance, verdict.entries)
                if run is not None:
                    self._drop(run)
                self._enqueue(instance, waking=True)
            case Effect.QUEUE:
                self._record(instance, verdict.entries)
                self._enqueue(instance, waking=True)
            case Effect.RELEASE:
                self._record(instance, verdict.entries)
                if run is not None:
                    run.state.happens(Event.RESUME)
                    deferred, run.deferred = run.deferred, []
                    try:
                        for message in deferred:
                            self._step_begun(run.guest, message)
                    except ProtocolError as error:  # a user resumes it, who is not to blame
                        run.guest.broke_protocol(error)
                    self._wake_run(run)  # retries that came due while the pause was pending
                    self._note_progress(run)
            case Effect.NOTHING:
                self._record(instance, verdict.entries)

    def _start_over(self, instance: Instance, verdict: Verdict) -> None:
        """Queue an instance with nothing of its history, or with what the verdict leaves of it."""
        key = instance.key
        if key in self._run_of:
            self._drop(self._run_of[key])
        self._timers.forget(key)
        self._blame.clear(key)
        fresh = Instance(key, instance.workflow, instance.id)
        if verdict.history is None:
            self.journal.wipe(key)
        else:
            self.journal.strike(key, verdict.history.struck)
            for entry in verdict.history.kept:
                fold.apply(fresh, entry)
        self._instances[key] = fresh
        self._record(fresh, verdict.entries)
        self._project(fresh)
        self._enqueue(fresh)

    def delete(self, key: int) -> None:
        """Stop an instance wherever it is, and forget it; its id is free from now on."""
        if key in self._run_of:
            self._drop(self._run_of[key])
        self._timers.forget(key)
        self._queue.remove(key)
        self.apart.remove(key)
        self._instances.pop(key, None)
        self._blame.clear(key)
        self._homeless.pop(key, None)
        self._admitting.discard(key)
        self.journal.delete(key)

    # --- time

    def next_due_ms(self) -> int | None:
        """Return the earliest deadline of all instances; None when there is none."""
        live = (run.instance.next_due_ms() for run in self._runs.values())
        known = [due_ms for due_ms in live if due_ms is not None]
        dormant_ms = lists.next_wake_ms(self.journal)
        return min(known if dormant_ms is None else [*known, dormant_ms], default=None)

    def in_flight(self) -> set[tuple[int, str, int]]:
        """Return what goes on without waiting for time: (run, step key, attempt) of each.

        Without a key: code between steps. Run 0: instances that are about to run; the last number
        is then another whenever some of them have got further.
        """
        found: set[tuple[int, str, int]] = set()
        if self._queue or self._dispatching or self._turns or self._feed or self.apart:
            found.add((0, "", self._turns.done + (self._feed.sent if self._feed else 0)))
        for run in self._runs.values():
            if run.blocked:
                continue
            for key, call in run.calls.items():
                if call.state is CallState.EXECUTING:
                    found.add((run.number, key, call.attempt))
            between = (CallState.ANSWERING, CallState.ASKING)
            if not run.calls or any(call.state in between for call in run.calls.values()):
                found.add((run.number, "", 0))
        return found

    def _call_after(self, span_ms: int, callback: Callable[[], None]) -> Alarm:
        return self._own_clock.call_at(self._own_clock.now_ms() + span_ms, callback)

    def _wake(self, key: int) -> None:
        """The earliest deadline of an instance may have passed."""
        looked_ms = self.clock.now_ms()  # what falls due while this works is still to come
        instance = self.sound(key)  # or it was deleted before it was its turn
        run = self._run_of.get(key)
        if instance is None or instance.is_terminal or instance.status is Status.PAUSED:
            return
        if run is not None:
            self._wake_run(run)
        elif self._wake_dormant(instance):
            self._rouse(instance)
        self._timers.set(key, instance.next_due_ms(after_ms=looked_ms))

    def _wake_run(self, run: Run) -> None:
        now_ms = self.clock.now_ms()
        pausing = run.instance.status is Status.WAITING_FOR_PAUSE
        for key, call in list(run.calls.items()):
            if call.state is CallState.ANSWERING or not run.answers(call):
                continue
            step = run.instance.steps[key]
            if pausing and step.state is StepState.RETRYING and not call.nested:
                continue  # the next attempt would hold the pause up
            decision = steps.due(run.instance, step, now_ms)
            if decision is not None:
                if call.state is CallState.EXECUTING:
                    call.state = CallState.WAITING
                self._carry_out(run, key, decision)
        if run.at_rest:
            self._come_to_rest(run)

    def _wake_dormant(self, instance: Instance) -> bool:
        """Record what is due for an instance without a run; return whether it must run now."""
        now_ms = self.clock.now_ms()
        must_run = instance.status is Status.WAITING and not instance.only_waits
        for step in list(instance.open.values()):
            if step.due_ms is None or step.due_ms > now_ms:
                continue
            must_run = True
            if step.state in (StepState.SLEEPING, StepState.WAITING):
                decision = steps.due(instance, step, now_ms)
                self._record(instance, decision.entries if decision else [])
        return must_run

    def _rouse(self, instance: Instance) -> None:
        """Queue an instance without a run that no longer only waits.

        Its status says so from now on: after a crash no deadline would tell that it must run.
        """
        if instance.status is Status.WAITING:
            self._record(
                instance, [Entry(instance.key, self.clock.now_ms(), EntryKind.WORKFLOW_RUNNING)]
            )
        self._instances[instance.key] = instance
        self._enqueue(instance, waking=True)

    # --- starting runs

    def _enqueue(self, instance: Instance | InstanceRow, waking: bool = False) -> None:
        self._queue.add(instance.key, instance.workflow, waking)
        if isinstance(instance, Instance):
            self._evict(instance)
        self._dispatch_soon()

    def _dispatch_soon(self) -> None:
        """Start what is queued after the next commit: a run's history must be durable."""
        if not self._dispatching:
            self._dispatching = True
            self.journal.after_commit(self._dispatch)

    def _dispatch(self, _error: sqlite3.Error | None) -> None:
        """Start queued instances while there is room, for a moment: requests come in between."""
        self._dispatching = False
        until = monotonic() + TURN_S
        while self._guest is not None and not self._closed and not self._refused:
            assert self._feed is not None
            key = self._queue.take() if self._feed.has_room else None
            if key is None:
                return
            self._start(key, self._guest, self._feed)
            if monotonic() >= until:
                self._dispatch_soon()
                return

    def _start(self, key: int, guest: Guest, feed: Feed) -> None:
        """Start an instance whose turn it is, here, or apart if it is a suspect."""
        if key in self._run_of or key in self._unrecorded:
            return
        instance = self.sound(key)
        if instance is None:
            return
        if self._blame.is_suspect(key):
            self._queue.occupy(key, instance.workflow)
            self.apart.add(key)
            self._evict(instance)
        else:
            self._start_run(instance, guest, feed)

    def _start_run(self, instance: Instance, guest: Guest, feed: Feed) -> None:
        if instance.is_terminal or instance.status is Status.PAUSED:
            self._evict(instance)
            return
        definition = self._definitions.get(instance.workflow)
        if definition is None or definition.class_name not in guest.loaded.workflows:
            self._keep_homeless(instance, definition)
            return
        rolling_back = instance.status is Status.ROLLING_BACK
        other_code = bool(instance.steps) and instance.generation != self.generation
        guarded = other_code and not rolling_back
        number = self._next_run
        stale = [] if rolling_back else stale_children(instance, self.generation)
        allowed = guest.loaded.free_steps and not rolling_back and not stale
        free_steps = max(0, definition.step_limit - instance.do_steps) if allowed else 0
        self._drop_leftovers(instance)  # of attempts that a crash cut off
        guard = Guard(instance) if guarded else None
        nesting = Nesting(stale) if stale else None
        gate = Gate.REFUSING if rolling_back else Gate.GUARDED if guarded else Gate.OPEN
        run = Run(number, instance, guest, feed, RunState(gate), guard=guard, nesting=nesting)
        self._next_run += 1
        self._runs[run.number] = self._run_of[instance.key] = run
        self._instances[instance.key] = instance
        self._queue.occupy(instance.key, instance.workflow)
        self._record(instance, self._run_entries(instance, guarded))
        class_name = definition.class_name
        begins = opening(
            number,
            instance,
            class_name,
            guarded=guarded,
            free_steps=free_steps,
            read=self.journal.value,
        )
        feed.put(self._opening(run, begins))

    def _opening(self, run: Run, opening: Iterator[Message]) -> Iterator[Message]:
        """Yield what begins a run, for as long as it is wanted. Until then it is at rest."""
        instance = run.instance
        try:
            while self._runs.get(run.number) is run:
                message = None
                with self._reading(run):
                    message = next(opening, None)
                if message is None:
                    break
                if type(message) is messages.RunStart:
                    run.state.happens(Event.STARTS_FREE if message.free_steps else Event.STARTS)
                yield message
        except ValueError as error:  # a guest wrote what is no value, and it was recorded
            problem = ErrorInfo("WorkflowInternalError", f"A recorded value is damaged: {error}")
            self._drop(run)
            self._end(instance, [endings.failed(instance, problem, self.clock.now_ms())])
            return
        if instance.status is Status.ROLLING_BACK and self._runs.get(run.number) is run:
            self._roll_back(run)

    def _run_entries(self, instance: Instance, guarded: bool) -> list[Entry]:
        """Return the entries for the start of a run: which code it is on, and that it runs.

        Of a guarded run the code is recorded once it fits.
        """
        key, now_ms = instance.key, self.clock.now_ms()
        if instance.started_ms is None:
            code = CodeVersion(self.generation)
            return [Entry(key, now_ms, EntryKind.WORKFLOW_START, data=code)]
        if instance.status is Status.ROLLING_BACK:
            return []
        entries = []
        if instance.generation != self.generation and not guarded:
            entries.append(self._code_changed(instance))
        if instance.status is not Status.RUNNING:
            entries.append(Entry(key, now_ms, EntryKind.WORKFLOW_RUNNING))
        return entries

    def _code_changed(self, instance: Instance) -> Entry:
        code = CodeVersion(self.generation)
        return Entry(instance.key, self.clock.now_ms(), EntryKind.CODE_CHANGED, data=code)

    def _keep_homeless(self, instance: Instance, definition: Definition | None) -> None:
        """Hold an instance whose code is not there, until code comes that has it."""
        self._homeless[instance.key] = instance.workflow
        self._evict(instance)
        missing = (
            f'no workflow named "{instance.workflow}" is configured'
            if definition is None
            else f'the worker exports no class "{definition.class_name}"'
        )
        self._report(f"{instance.workflow} {instance.id}: stands still, because {missing}")

    # --- letting go

    def _drop(self, run: Run) -> None:
        """Forget a run, here and in its guest; nothing in it is ever answered."""
        works = not run.at_rest
        self._forget(run)
        run.feed.abort(run.number, works=works)

    def _forget(self, run: Run) -> None:
        self._knows_all(run)
        if run.streamed is not None:
            for call in run.calls.values():
                self._drop_output(run, call)
        del self._runs[run.number]
        del self._run_of[run.instance.key]
        released = self._leaving.get(run.guest.generation)
        if released and not any(other.guest is run.guest for other in self._runs.values()):
            del self._leaving[run.guest.generation]
            if not released.done():
                released.set_result(None)
        self._queue.vacate(run.instance.key)
        self._dispatch_soon()
        self._idle.remove(run)
        if run.guest is self.apart.guest:
            self.apart.left(run)

    def _evict(self, instance: Instance) -> None:
        """Keep an instance in memory only while it runs, or is about to and takes little room."""
        key = instance.key
        if key not in self._run_of and (not self._is_queued(key) or instance.is_large):
            self._instances.pop(key, None)

    def _is_queued(self, key: int) -> bool:
        return key in self._queue or key in self.apart

    # --- when the disk refuses

    def look_at_journal(self) -> None:
        """Notice that the journal was removed, when nothing is recorded that would show it."""
        try:
            self.journal.place.look()
        except Removed as error:
            self._commit_failed(set(), error)

    def _commit_failed(self, keys: set[int], error: sqlite3.Error) -> None:
        """Memory is ahead of the disk for these instances: forget them and read them again."""
        if not self._refused:
            self._refused = True
            self.is_lost = isinstance(error, Removed)
            if self.is_lost:  # for good
                self._report(f"{error}. Until then nothing is recorded, and workflows stand still.")
            else:
                self._report(
                    f"{self.journal.path}: nothing can be recorded ({error})."
                    " Workflows stand still until it can; nothing that was acknowledged is lost."
                )
                self._call_after(RECOVERY_DELAY_MS, self._recover)
        for key in keys:
            if key in self._run_of:
                self._drop(self._run_of[key])
            self._instances.pop(key, None)
            self._timers.forget(key)
            self._queue.remove(key)
            self.apart.remove(key)
        self._unrecorded |= keys

    def _recover(self) -> None:
        """Go on if the journal can be written again; look again later if not."""
        if self._closed:
            return
        if not self.journal.is_writable():
            self._call_after(RECOVERY_DELAY_MS, self._recover)
            return
        self._refused = False
        self._report(f"{self.journal.path}: recording again; workflows go on")
        keys, self._unrecorded = self._unrecorded, set()
        for key in sorted(keys):
            self._turns.add(partial(self._take_up_again, key))
        self._dispatch_soon()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _caller(run: Run, message: messages.StepBegin) -> str:
    """Return the key of the step in whose callback a call was made; empty: in none."""
    try:
        return run.calls.caller(message.parent) if message.parent else ""
    except KeyError:
        text = f"step_begin in the callback of call {message.parent}, which was never made"
        raise ProtocolError(text) from None


def _kind(message: messages.StepBegin) -> StepKind:
    if message.kind not in CALLED:
        raise ProtocolError(f"{message.kind!r} is no kind of step")
    return StepKind(message.kind)
