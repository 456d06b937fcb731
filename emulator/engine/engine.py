"""The engine: what guests say, what users ask and what time brings, each to the part that knows.

A part decides, records through the roster and returns actions; `_perform` is the only place where
they are done. So nobody is told anything before it is recorded, and nobody is answered before the
commit. What users may ask for is in `control.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, assert_never

from emulator.clock import Clock, call_after
from emulator.engine import actions
from emulator.engine.actions import Action, Actions, Decision, Then
from emulator.engine.apart import Apart
from emulator.engine.calls import StepCalls
from emulator.engine.dispatch import Dispatch
from emulator.engine.divergences import Divergences
from emulator.engine.guard.sweep import Sweep
from emulator.engine.guests.blame import Blame, Loss
from emulator.engine.guests.feed import Feed
from emulator.engine.guests.guest import Guest
from emulator.engine.guests.serving import Serving
from emulator.engine.halted import HaltedGuests
from emulator.engine.handover import RECALL_MAX_MS, Handover, settle
from emulator.engine.journal.journal import Journal
from emulator.engine.journal.reader import InstanceRow
from emulator.engine.model.definition import Definition
from emulator.engine.model.instance import Instance
from emulator.engine.outcomes import Outcomes
from emulator.engine.outputs import Outputs
from emulator.engine.recovery import Recovery
from emulator.engine.roster import Roster
from emulator.engine.runs.idle import IdleRuns
from emulator.engine.runs.run import Run
from emulator.engine.runs.states import Event
from emulator.engine.runs.turns import Turns
from emulator.engine.waker import Waker
from emulator.errors import StateError
from emulator.protocol import runs as said
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.runs import RunMessage


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
        """own_clock: measures our own delays, for `clock` may be virtual and stand still."""
        self.journal = journal
        self.clock = clock
        self.turns = Turns()
        self._dispatching = False  # queued instances are started after the next commit
        self.roster = roster = Roster(
            journal,
            clock,
            concurrency=concurrency,
            wake=lambda key: self.turns.add(partial(self._then, partial(waker.wake, key))),
            delete=self.delete,
            report=report,
        )
        own_clock = own_clock or clock
        self._after = partial(call_after, own_clock)
        self.serving = serving = Serving(grace_ms=grace_ms)
        self.blame = blame = Blame()
        self.apart = apart = Apart(
            roster, own_clock, blame, lambda *of: self._perform(self._dispatch.start_apart(*of))
        )
        self.idle = idle = IdleRuns(
            own_clock, clock.now_ms, lambda run: self._perform(handover.idle(run))
        )
        self._dispatch = Dispatch(roster, serving, blame, idle, apart)
        self.divergences = Divergences(roster, serving)
        self._calls = StepCalls(roster, self._dispatch, self.divergences, blame, idle)
        self._outputs = Outputs(roster, idle)
        self._outcomes = Outcomes(roster, self._calls)
        self.halted = HaltedGuests(roster)
        self._waker = waker = Waker(roster, self._dispatch, self._calls, self.halted)
        self.recovery = Recovery(roster, waker)
        self.sweep = Sweep(
            journal,
            own_clock,
            self.divergences.is_moving,
            self.divergences.probe,
            lambda key, divergence: self._perform(self.divergences.probed(key, divergence)),
        )
        self._handover = handover = Handover(roster, serving, blame, idle, apart, waker, self.sweep)
        self._hearing: dict[type[Message], Callable[[Run, Any], Actions]] = {
            said.StepBegin: self._calls.begun,
            said.StepEnd: self._calls.ended,
            said.StepChunk: self._outputs.came,
            said.StepDelayed: self._calls.delayed,
            said.StreamRead: self._outputs.read,
            said.RunEnd: self._outcomes.ended,
            said.RunAsking: handover.asks,
            said.Replayed: self.divergences.replayed,
        }
        journal.on_failure = lambda keys, error: self._perform(self.recovery.failed(keys, error))

    # --- life

    def start(self) -> list[InstanceRow]:
        """Take up all unfinished instances of the journal, and return them."""
        rows = self.journal.unfinished()
        self._perform(self._waker.take_up_all(rows, self.journal.moved_on()))
        self.roster.expiry.start()
        return rows

    def define(self, definitions: Iterable[Definition]) -> None:
        """Set the workflows that exist from now on, and how many of each may run at once."""
        self.roster.define({definition.name: definition for definition in definitions})

    def tune(self, *, concurrency: int, grace_ms: int) -> None:
        """Use these limits from now on."""
        self.roster.ready.concurrency = concurrency
        self.serving.grace_ms = grace_ms
        self._perform((actions.StartQueued(),))

    def stop(self) -> None:
        """Drop every run and timer; work in progress continues at the next start."""
        self.roster.stop()
        self.turns.stop()
        self.sweep.stop()
        self.apart.stop()
        self._perform([actions.Drop(run.instance) for run in self.roster.runs])

    # --- guests

    def use_guest(self, guest: Guest, code: str = "") -> None:
        """Run everything in `guest` from now on; runs elsewhere move there, within the grace.

        code: equal for equal user code, whenever it was loaded. Without it, the code of each guest
        counts as a version of its own.
        """
        feed = Feed(guest, partial(self._perform, (actions.StartQueued(),)))
        self._perform(self._handover.use(guest, feed, code))

    def use_apart(self, guest: Guest, code: str = "") -> None:
        """Let suspects begin in `guest`, if it still has the code in use."""
        self._handover.use_apart(guest, code)

    async def released(self, guest: Guest) -> None:
        """Return when no run is left in `guest`."""
        await self._handover.released(guest)

    def guest_lost(self, guest: Guest, loss: Loss) -> None:
        """A guest ended by itself: charge the instance to blame, and start all its runs again."""
        self.halted.forget(guest)
        self._perform(self._handover.lost(guest, loss))

    def work_of(self, guest: Guest) -> list[str]:
        """Return in words what `guest` does for workflows, for the person at the terminal."""
        return [text for run in self.roster.runs_in(guest) for text in run.work()]

    def hear(self, guest: Guest, message: RunMessage) -> None:
        """Hear a message of a run. Raises ProtocolError when it breaks the protocol."""
        run = self.roster.run(message.run)
        if run is None:
            self.divergences.hear_probe(self.sweep.probes, message)
        elif run.guest is guest:  # a guest may only speak of its own runs
            if follows := self._hearing[type(message)](run, message):
                self._perform(follows)

    def mishap(self, guest: Guest, number: int, problem: str) -> None:
        """A message about a run could not be handled: its instance fails, and no other."""
        if (run := self.roster.run(number)) is not None and run.guest is guest:
            self._perform(self._outcomes.mishap(run, problem))

    def all_heard(self) -> None:
        """Record and answer at once: all messages that have arrived are decided."""
        self.journal.end_turn()

    # --- what users ask (control.py decides what it means)

    def obey(self, instance: Instance, decision: Decision) -> None:
        """Record a decision for a user, and perform its actions."""
        instance = self.roster.keep(instance)
        if decision.entries:
            self.roster.record(instance, decision.entries)
        self._perform(decision.actions)
        self.roster.evict(instance)

    async def knows_all(self, instance: Instance) -> None:
        """Return when it is known which callbacks of an instance execute.

        If a guest does not say so within `RECALL_MAX_MS`, some are taken to execute.
        """
        run = self.roster.run_of(instance.key)
        if run is None or run.state.knows_all:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.waiters.append(future)
        alarm = self._after(RECALL_MAX_MS, partial(settle, future))
        self._perform(self._handover.recall(run))
        try:
            await future
        finally:
            alarm.cancel()

    def delete(self, key: int) -> None:
        """Stop an instance, whatever it does, and forget it; its id can be used again."""
        self._drop(self.roster.run_of(key), tell=True)
        self.roster.forget(key)
        self.roster.homeless.pop(key, None)
        self.blame.clear(key)
        self.journal.delete(key)

    # --- time and the disk

    def in_flight(self) -> set[tuple[int, str, int]]:
        """Return the work that does not wait for time: (run, step key, attempt) of each.

        Without a key: code between steps. Run 0: those that are about to run; its number grows.
        """
        feed, due = self.serving.feed, self.roster.ready or self.roster.suspects
        if not (due or self._dispatching or self.turns or feed):
            return self.roster.in_flight()
        done = self.turns.done + (0 if feed is None else feed.sent)
        return self.roster.in_flight() | {(0, "", done)}

    def look_at_journal(self) -> None:
        """Notice that the journal was removed, when nothing is recorded that would show it."""
        self._perform(self.recovery.look())

    # --- performing

    def _perform(self, follows: Actions) -> None:
        """Perform actions in order, each with everything that follows from it."""
        roster = self.roster
        for action in follows:
            match action:  # without captures, which would make a tuple of each
                case actions.WhenDurable():
                    self.journal.after_commit(partial(self._then, action.then))
                case actions.Tell():
                    if (run := roster.run(action.run)) is not None:
                        run.guest.send(action.message)
                case actions.Rested():
                    self._follow(roster.run(action.run), self._handover.rested)
                case actions.Put():
                    if (run := roster.run(action.run)) is not None:
                        run.feed.put(self._parcel(run, action.messages, action.then))
                case actions.StartQueued():
                    if not self._dispatching:
                        self._dispatching = True
                        # After two commits: who waits for the first is answered before.
                        self.journal.after_commit(
                            lambda _: self.journal.after_commit(self._start_queued)
                        )
                case actions.End():
                    roster.record(action.instance, action.entries)
                    self.blame.clear(action.instance.key)
                    roster.evict(action.instance)
                case actions.Drop():
                    self._drop(roster.run_of(action.instance.key), action.tell)
                case actions.Evict():
                    roster.evict(action.instance)
                case actions.Queue():
                    self._perform(self._waker.rouse(action.instance))
                case actions.GoOn():
                    self._perform(self._waker.go_on(action.instance))
                case actions.Deliver():
                    self._perform(self._waker.deliver_events(action.instance))
                case actions.Wake():
                    self._perform(self._waker.skipped(action.instance))
                case actions.Admit():
                    self._perform(self._dispatch.admit(action.instance, action.first, action.more))
                case actions.Begin():
                    work = partial(self._calls.begun, message=action.call)
                    self._follow(roster.run(action.run), work)
                case actions.RollBack():
                    self._follow(roster.run(action.run), self._outcomes.roll_back)
                case actions.PauseAtRest():
                    self._follow(roster.run_of(action.instance.key), self._handover.pause)
                case actions.CallOff():
                    self._call_off(roster.run_of(action.instance.key))
                case actions.StartOver():
                    self._drop(roster.run_of(action.instance.key), tell=True)
                    self.blame.clear(action.instance.key)
                    self._perform(self._dispatch.enqueue(roster.start_over(action)))
                case actions.Soon():
                    self.turns.add(partial(self._then, action.then))
                case actions.Later():
                    self._after(action.span_ms, partial(self._then, action.then))
                case actions.Report():
                    roster.report(action.text)
                case actions.Execute() | actions.Resolve() | actions.Reject() | actions.Ask():
                    raise AssertionError(f"{action} answers a call: carry its decision out")
                case _:
                    assert_never(action)

    def _follow(self, run: Run | None, work: Callable[[Run], Actions]) -> None:
        """Perform what follows for a run that is not over."""
        if run is not None:
            self._perform(work(run))

    def _then(self, then: Then, error: sqlite3.Error | None = None) -> None:
        """Perform what follows, now that it is time; nothing after a failed commit."""
        self._perform(() if error else then())

    def _start_queued(self, _error: sqlite3.Error | None) -> None:
        """Start queued instances: their histories are durable now."""
        self._dispatching = False
        self._perform(self._dispatch.start_queued())

    def _drop(self, run: Run | None, tell: bool) -> None:
        if run is not None:
            works = not run.at_rest
            self._perform(self._handover.let_go(run))
            if tell:
                run.feed.abort(run.number, works=works)

    def _call_off(self, run: Run | None) -> None:
        """A pause is cancelled: calls that were put aside begin, and what came due is done."""
        if run is None:
            return
        run.state.happens(Event.RESUME)
        deferred, run.deferred = run.deferred, []
        try:
            for call in deferred:
                self._perform(self._calls.begun(run, call))
        except ProtocolError as error:  # a user resumes it, who is not to blame
            run.guest.broke_protocol(error)
        self._follow(self.roster.run(run.number), self._waker.wake_run)
        self._follow(self.roster.run(run.number), self._dispatch.progressed)

    def _parcel(
        self, run: Run, messages: Iterator[Message], then: Sequence[Action]
    ) -> Iterator[Message]:
        """Make the messages one by one, when there is room for each, while the run is there."""
        try:
            while self.roster.has(run) and (message := next(messages, None)) is not None:
                yield message
        except (StateError, ValueError) as error:
            self._perform(self._outcomes.unreadable(run, error))
            return
        if self.roster.has(run):
            self._perform(then)
