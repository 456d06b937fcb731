"""The hand-over between guests: which one serves, how runs leave the previous one, lost guests.

A run leaves its guest when nothing executes in it. First its guest is asked to begin nothing more
by itself; a guest that does not answer most likely hangs, and what it executes has a grace to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from emulator.engine.actions import (
    Action,
    Actions,
    Drop,
    End,
    Evict,
    GoOn,
    Later,
    Report,
    Soon,
    StartQueued,
    Tell,
)
from emulator.engine.apart import Apart
from emulator.engine.decide import endings, lifecycle, steps
from emulator.engine.guard.sweep import Sweep
from emulator.engine.guests import blame
from emulator.engine.guests.blame import Blame, Loss, Present
from emulator.engine.guests.feed import Feed
from emulator.engine.guests.guest import Guest
from emulator.engine.guests.serving import Serving
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Status
from emulator.engine.roster import Roster
from emulator.engine.runs.idle import IdleRuns
from emulator.engine.runs.run import Run
from emulator.engine.runs.states import Allowance, AtRest, Event
from emulator.engine.waker import Waker
from emulator.protocol.runs import RunAskFirst, RunAsking

RECALL_MAX_MS = 1_000  # a guest that is asked to begin no more steps has this long to say so


class Handover:
    """Moves runs from guest to guest, and drops them."""

    def __init__(
        self,
        roster: Roster,
        serving: Serving,
        blame: Blame,
        idle: IdleRuns,
        apart: Apart,
        waker: Waker,
        sweep: Sweep,
    ) -> None:
        self._roster = roster
        self._serving = serving
        self._blame = blame
        self._idle = idle
        self._apart = apart
        self._waker = waker
        self._sweep = sweep
        self._released: dict[int, asyncio.Future[None]] = {}  # by generation of a guest

    # --- another guest

    def use(self, guest: Guest, feed: Feed, code: str) -> Actions:
        """Let `guest` serve; runs elsewhere move there. code: equal for equal user code."""
        self._sweep.stop()
        self._serving.guest, self._serving.feed = guest, feed
        follows: list[Action] = []
        if self._is_other_code(guest, code):
            self._blame.forget_all()
            follows += self._let_in(self._apart.retire())
        stays = (guest, self._apart.guest)
        leaving = [run for run in self._roster.runs if run.guest not in stays]
        for run in leaving:
            run.state.happens(Event.LEAVE)
        follows += _each(self._leave, leaving)
        if leaving:
            follows.append(Later(RECALL_MAX_MS, partial(_each, self._leave_in_silence, leaving)))
            follows.append(Later(self._serving.grace_ms, partial(_each, self._leave_late, leaving)))
        for key, workflow in sorted(self._roster.homeless.items()):
            self._roster.ready.add(key, workflow, waking=False)
        self._roster.homeless.clear()
        self._sweep.begin(self._serving.generation)
        return (*follows, StartQueued())

    def use_apart(self, guest: Guest, code: str) -> None:
        """Let suspects begin in `guest`, which was asked for, if it is still of the code in use."""
        if self._generation(guest, code) == self._serving.generation:
            self._apart.use(guest)
        else:
            self._apart.close(guest.generation)
            self._apart.failed()

    def _is_other_code(self, guest: Guest, code: str) -> bool:
        before, self._serving.generation = self._serving.generation, self._generation(guest, code)
        return self._serving.generation != before

    def _generation(self, guest: Guest, code: str) -> int:
        code = code or f"guest {guest.generation}"
        return self._roster.journal.generation(code, self._roster.clock.now_ms())

    def _let_in(self, keys: list[int]) -> list[Action]:
        """Start instances in the guest that serves: they are no longer suspects."""
        follows: list[Action] = []
        for key in keys:
            self._roster.ready.vacate(key)
            follows += self._waker.take_up_again(key)
        return follows

    # --- how a run leaves

    def _leave(self, run: Run) -> Actions:
        """Take a run off its old guest, now if it is at rest, or when its callbacks end."""
        if not self._roster.has(run):
            return ()
        return self._move(run) if run.at_rest else self.recall(run)

    def _leave_in_silence(self, run: Run) -> Actions:
        """Take a run off a guest that does not say which steps it has begun: it probably hangs."""
        if not self._roster.has(run) or run.state.knows_all or run.executing:
            return ()
        return self._move(run)

    def _leave_late(self, run: Run) -> Actions:
        """Take a run off its old guest although callbacks execute there: their grace is over."""
        if not self._roster.has(run):
            return ()
        self._roster.record(run.instance, run.interruptions(self._roster.clock.now_ms()))
        return self._move(run)

    def _move(self, run: Run) -> Actions:
        return (Drop(run.instance), GoOn(run.instance))

    # --- how a run comes to rest

    def recall(self, run: Run) -> Actions:
        """Tell the guest to ask before every step of a run, and to answer."""
        if not run.state.happens(Event.RECALL):
            return ()
        return (Tell(run.number, RunAskFirst(run.number)),)

    def asks(self, run: Run, message: RunAsking) -> Actions:
        """The guest begins no more steps of a run by itself, and has reported those in progress."""
        self._know_all(run)
        if not run.blocked:
            run.state.happens(Event.GOES_ON)
        return self.rested(run) if run.at_rest else ()

    def pause(self, run: Run) -> Actions:
        """Let a run pause as soon as nothing executes in it."""
        run.state.happens(Event.PAUSE)
        return self.recall(run)

    def idle(self, run: Run) -> Actions:
        """A run has only waited for its moment: drop it when it is certain that it only waits."""
        if not run.blocked:
            return ()
        run.state.happens(Event.IDLE)
        follows = self.recall(run)
        return self.rested(run) if run.at_rest else follows

    def rested(self, run: Run) -> Actions:
        """Nothing executes in a run: do what was planned for that moment."""
        instance, now_ms = run.instance, self._roster.clock.now_ms()
        match run.state.at_rest:
            case AtRest.PAUSE | AtRest.PAUSE_OR_MOVE:
                decision = lifecycle.attempts_ended(instance, now_ms)
                self._roster.record(instance, decision.entries)
                return decision.actions
            case AtRest.MOVE:
                return self._move(run)
            case AtRest.DROP if run.blocked:  # its guest gets the memory back until it is due
                if instance.status is Status.RUNNING:
                    waits = Entry(instance.key, now_ms, EntryKind.WORKFLOW_WAITING)
                    self._roster.record(instance, [waits])
                return (Drop(instance), Evict(instance))
            case _:
                return ()

    # --- letting go

    def let_go(self, run: Run) -> Actions:
        """Forget a run; nothing in it is ever answered."""
        self._know_all(run)
        self._roster.leave(run)
        self._idle.remove(run)
        released = self._released.get(run.guest.generation)
        if released is not None and not self._roster.runs_in(run.guest):
            del self._released[run.guest.generation]
            settle(released)
        if run.guest is self._apart.guest:
            self._apart.left(run)
        return (StartQueued(),)

    def _know_all(self, run: Run) -> None:
        run.state.happens(Event.ASKS)
        for future in run.waiters:
            settle(future)
        run.waiters.clear()

    async def released(self, guest: Guest) -> None:
        """Return once no run is left in `guest`."""
        if self._roster.runs_in(guest):
            future = asyncio.get_running_loop().create_future()
            await self._released.setdefault(guest.generation, future)

    # --- lost guests

    def lost(self, guest: Guest, loss: Loss) -> Actions:
        """A guest ended by itself: who is to blame is charged, and all its runs start again."""
        others = loss.others
        if self._serving.guest is guest:
            others = others or bool(self._sweep.probes)
            self._sweep.stop()
            self._serving.guest = None
        self._apart.lost(guest)
        lost = self._roster.runs_in(guest)
        present = [
            Present(run.instance.key, run.number, not run.blocked)
            for run in lost
            if run.state.allowance is not Allowance.OPENING
        ]
        others = others or any(run.feed.is_aborting for run in lost)
        blamed, suspects = self._blame.lost(replace(loss, others=others), present)
        follows: list[Action] = []
        if suspects:
            each = (run.instance for run in lost if run.instance.key in suspects)
            text = blame.suspicion([f"{one.workflow} {one.id}" for one in each])
            follows.append(Report(text))
        if blamed:
            follows += self._let_in(self._apart.release())
        for run in lost:
            run.feed.stop()
        lose = partial(self._lose, reason=loss.reason, blamed=blamed)
        return (*follows, *_each(lose, lost))

    def _lose(self, run: Run, *, reason: str, blamed: set[int]) -> Actions:
        if not self._roster.has(run):
            return ()
        instance, now_ms = run.instance, self._roster.clock.now_ms()
        is_to_blame = instance.key in blamed
        in_flight = run.in_flight()
        for step in in_flight:
            if is_to_blame:
                failure = steps.fail(instance, step, endings.guest_lost(reason), now_ms)
                self._roster.record(instance, failure.entries)
            else:
                self._roster.record(instance, [steps.interrupt(instance, step, now_ms, "loss")])
        gone = Drop(instance, tell=False)
        if is_to_blame and not in_flight and self._blame.is_hopeless(instance.key):
            losses = self._blame.losses(instance.key)
            return (gone, End(instance, [endings.hopeless(instance, losses, reason, now_ms)]))
        return (gone, GoOn(instance))


def _each(work: Callable[[Run], Actions], runs: Sequence[Run]) -> list[Action]:
    return [Soon(partial(work, run)) for run in runs]


def settle(future: asyncio.Future[None]) -> None:
    """Let go on who waits for something that has happened, if somebody still does."""
    if not future.done():
        future.set_result(None)
