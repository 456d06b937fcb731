"""Starts runs: which instance is queued, which has a seat, and with what a run begins.

An instance starts when its history is durable, when there is a seat for it, and when its guest has
room for the messages. Suspects start in the guest apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from time import monotonic

from emulator.engine.actions import Action, Actions, Put, Report, RollBack, StartQueued, WhenDurable
from emulator.engine.apart import Apart
from emulator.engine.guard.callback_guard import Nesting, stale_children
from emulator.engine.guard.replay_guard import Guard
from emulator.engine.guests.blame import Blame
from emulator.engine.guests.feed import Feed
from emulator.engine.guests.guest import Guest
from emulator.engine.guests.run_messages import opening
from emulator.engine.guests.serving import Serving
from emulator.engine.journal.reader import InstanceRow
from emulator.engine.model.definition import Definition
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.instance_entries import CodeVersion
from emulator.engine.roster import Roster
from emulator.engine.runs.idle import IdleRuns
from emulator.engine.runs.run import Run
from emulator.engine.runs.states import Event, Gate, RunState
from emulator.engine.runs.turns import TURN_S
from emulator.protocol.message import Message
from emulator.protocol.runs import RunStart


class Dispatch:
    """Gives seats to instances and starts them."""

    def __init__(
        self, roster: Roster, serving: Serving, blame: Blame, idle: IdleRuns, apart: Apart
    ) -> None:
        self._roster = roster
        self._serving = serving
        self._blame = blame
        self._idle = idle
        self._apart = apart

    def admit(self, instance: Instance, first: Entry, more: Sequence[Entry] = ()) -> Actions:
        """Record a new instance; it is queued when its first entries are durable."""
        self._roster.replace(instance)
        self._roster.admitting.add(instance.key)
        self._roster.record(instance, [first, *more])
        return (WhenDurable(partial(self._admitted, instance)),)

    def _admitted(self, instance: Instance) -> Actions:
        if instance.key not in self._roster.admitting:  # it was deleted in the same turn
            return ()
        self._roster.admitting.discard(instance.key)
        return self.enqueue(instance)

    def enqueue(self, instance: Instance | InstanceRow, *, waking: bool = False) -> Actions:
        """Queue an instance. waking: before all new ones."""
        self._roster.ready.add(instance.key, instance.workflow, waking)
        if isinstance(instance, Instance):
            self._roster.evict(instance)
        return (StartQueued(),)

    def progressed(self, run: Run) -> Actions:
        """Let the status and the seat of an instance follow what its run does."""
        roster, instance = self._roster, run.instance
        if not run.blocked or run.state.leaves:
            if instance.status is Status.WAITING:
                roster.ready.occupy(instance.key, instance.workflow)
                roster.record(instance, [self._entry(instance, EntryKind.WORKFLOW_RUNNING)])
            self._idle.remove(run)
            return ()
        waits = instance.status is Status.RUNNING
        if waits:
            roster.record(instance, [self._entry(instance, EntryKind.WORKFLOW_WAITING)])
            roster.ready.vacate(instance.key)
        elif instance.status is Status.WAITING:
            roster.project(instance)
        self._idle.add(run)
        self._apart.rests(run)
        return (StartQueued(),) if waits else ()

    def start_queued(self) -> Iterator[Action]:
        """Start queued instances while there is room, for a moment: requests come in between.

        Yields the actions of each start before it looks at the next: they take room.
        """
        roster, serving = self._roster, self._serving
        until = monotonic() + TURN_S
        while not roster.closed and not roster.refused:
            guest, feed = serving.guest, serving.feed
            if guest is None or feed is None or not feed.has_room:
                return
            key = roster.ready.take()
            if key is None:
                return
            yield from self._start(key, guest, feed)
            if monotonic() >= until:
                yield StartQueued()
                return

    def start_apart(self, key: int, guest: Guest, feed: Feed) -> Actions:
        """Start a suspect in the guest apart, if it has not begun meanwhile."""
        roster = self._roster
        roster.ready.vacate(key)  # its own seat, which it takes again
        if roster.run_of(key) or key in roster.unrecorded or roster.closed or roster.refused:
            return ()
        instance = roster.sound(key)
        return () if instance is None else self._start_run(instance, guest, feed)

    def _start(self, key: int, guest: Guest, feed: Feed) -> Actions:
        """Start an instance whose turn it is, here, or apart if it is a suspect."""
        if self._roster.run_of(key) or key in self._roster.unrecorded:
            return ()
        instance = self._roster.sound(key)
        if instance is None:
            return ()
        if not self._blame.is_suspect(key):
            return self._start_run(instance, guest, feed)
        self._roster.ready.occupy(key, instance.workflow)
        self._apart.add(key)
        self._roster.evict(instance)
        return ()

    def _start_run(self, instance: Instance, guest: Guest, feed: Feed) -> Actions:
        roster = self._roster
        if instance.is_terminal or instance.status is Status.PAUSED:
            roster.evict(instance)
            return ()
        definition = roster.definitions.get(instance.workflow)
        if definition is None or definition.class_name not in guest.loaded.workflows:
            return self._keep_homeless(instance, definition)
        roster.drop_leftovers(instance)  # of attempts that a crash cut off
        run = self._new_run(instance, guest, feed)
        roster.enter(run)
        roster.record(instance, self._first_entries(run), late=True)
        rolling_back = run.state.gate is Gate.REFUSING
        free = guest.loaded.free_steps and not rolling_back and run.nesting is None
        messages = opening(
            run.number,
            instance,
            definition.class_name,
            guarded=run.state.gate is Gate.GUARDED,
            free_steps=max(0, definition.step_limit - instance.do_steps) if free else 0,
            read=roster.journal.value,
        )
        then = (RollBack(run.number),) if rolling_back else ()
        return (Put(run.number, _opened(run, messages), then),)

    def _new_run(self, instance: Instance, guest: Guest, feed: Feed) -> Run:
        number, generation = self._roster.new_number(), self._serving.generation
        if instance.status is Status.ROLLING_BACK:
            return Run(number, instance, guest, feed, RunState(Gate.REFUSING))
        guarded = bool(instance.steps) and instance.generation != generation
        stale = stale_children(instance, generation)
        return Run(
            number,
            instance,
            guest,
            feed,
            RunState(Gate.GUARDED if guarded else Gate.OPEN),
            guard=Guard(instance) if guarded else None,
            nesting=Nesting(stale) if stale else None,
        )

    def _first_entries(self, run: Run) -> list[Entry]:
        """Return the entries for the start of a run: which code it is on, and that it runs.

        The code of a guarded run is recorded when it is known to fit.
        """
        instance, generation = run.instance, self._serving.generation
        if instance.started_ms is None:
            return [self._entry(instance, EntryKind.WORKFLOW_START, generation)]
        if instance.status is Status.ROLLING_BACK:
            return []
        entries = []
        if instance.generation != generation and run.state.gate is not Gate.GUARDED:
            entries.append(self._entry(instance, EntryKind.CODE_CHANGED, generation))
        if instance.status is not Status.RUNNING:
            entries.append(self._entry(instance, EntryKind.WORKFLOW_RUNNING))
        return entries

    def _entry(self, instance: Instance, kind: EntryKind, generation: int | None = None) -> Entry:
        data = None if generation is None else CodeVersion(generation)
        return Entry(instance.key, self._roster.clock.now_ms(), kind, data=data)

    def _keep_homeless(self, instance: Instance, definition: Definition | None) -> Actions:
        """Keep an instance whose class is missing, until code that has it is loaded."""
        self._roster.homeless[instance.key] = instance.workflow
        self._roster.evict(instance)
        missing = (
            f'no workflow named "{instance.workflow}" is configured'
            if definition is None
            else f'the worker exports no class "{definition.class_name}"'
        )
        text = f"{instance.workflow} {instance.id}: stands still, because {missing}"
        return (Report(text),)


def _opened(run: Run, messages: Iterator[Message]) -> Iterator[Message]:
    """Yield the messages that begin a run; until the last of them it is at rest."""
    for message in messages:
        if type(message) is RunStart:
            run.state.happens(Event.STARTS_FREE if message.free_steps else Event.STARTS)
        yield message
