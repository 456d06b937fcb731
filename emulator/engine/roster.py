"""The roster: instances and runs in memory, and the only caller of `Journal.append`.

Memory is a cache of the journal. Each entry is applied to it as soon as it is recorded. If a commit
fails, the instances in it are forgotten and read again. The roster also knows what each instance
does: it runs, is queued, waits for a deadline, or waits for code that has its class. It decides
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct

from emulator.clock import Clock
from emulator.engine.actions import StartOver
from emulator.engine.decide.retention import expires_ms
from emulator.engine.expiry import Expiry
from emulator.engine.guests.guest import Guest
from emulator.engine.journal import lists
from emulator.engine.journal.journal import Journal
from emulator.engine.journal.reader import DamagedHistory
from emulator.engine.model import fold
from emulator.engine.model.definition import Definition, Retention
from emulator.engine.model.entries import Entry
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.step import LARGE_BYTES
from emulator.engine.runs import streams
from emulator.engine.runs.ready import ReadyQueue
from emulator.engine.runs.run import Call, CallState, Run
from emulator.engine.runs.states import Gate
from emulator.engine.runs.timers import Timers
from emulator.words import Language


class Census(Struct, frozen=True):
    """How much there is in memory."""

    runs: int = 0
    instances: int = 0
    timers: int = 0
    seats: int = 0  # of instances that run, or begin apart


class Roster:
    """Owns the instances and runs in memory.

    wake: called with the key of an instance whose deadline has passed. delete: called with the key
    of an instance that has expired. report: tells the person at the terminal.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        *,
        concurrency: int,
        wake: Callable[[int], None],
        delete: Callable[[int], None],
        report: Callable[[str], None],
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.report = report
        self.definitions: Mapping[str, Definition] = {}
        self.ready = ReadyQueue(concurrency)
        self.timers = Timers(clock, wake)
        self.expiry = Expiry(journal, clock, delete)
        self.suspects: dict[int, None] = {}  # queued for the guest apart, in order
        self.homeless: dict[int, str] = {}  # instance -> its workflow, which is gone, or its class
        self.admitting: set[int] = set()  # new instances that the next commit queues
        self.unrecorded: set[int] = set()  # instances that a failed commit has lost
        self.refused = False  # the last commit failed
        self.closed = False
        self._instances: dict[int, Instance] = {}
        self._runs: dict[int, Run] = {}
        self.run = self._runs.get  # the run with a number; None: it is over, or never was
        self._run_of: dict[int, Run] = {}  # by instance key
        self._next_run = 1
        self._damaged: set[int] = set()  # instances with a damaged history, already reported

    def language_of(self, workflow: str) -> Language:
        """Return the language of a workflow's code, for messages."""
        definition = self.definitions.get(workflow)
        return Language.PYTHON if definition is None else definition.language

    def define(self, definitions: Mapping[str, Definition]) -> None:
        """Set the workflows that exist from now on, by name, and how many of each may run."""
        self.definitions = definitions
        self.ready.limits = {
            name: definition.concurrency
            for name, definition in definitions.items()
            if definition.concurrency is not None
        }

    # --- who is there

    @property
    def runs(self) -> Collection[Run]:
        """All runs."""
        return self._runs.values()

    def runs_in(self, guest: Guest) -> list[Run]:
        """Return the runs in a guest."""
        return [run for run in self._runs.values() if run.guest is guest]

    def run_of(self, key: int) -> Run | None:
        """Return the run of an instance, if it has one."""
        return self._run_of.get(key)

    def has(self, run: Run) -> bool:
        """Whether a run is not over."""
        return self._runs.get(run.number) is run

    def is_queued(self, key: int) -> bool:
        """Whether an instance waits for its turn, here or apart."""
        return key in self.ready or key in self.suspects

    @property
    def queued(self) -> int:
        """How many instances wait for a place to run."""
        return len(self.ready) + len(self.suspects) + len(self.admitting)

    def instance(self, key: int, *, steps: bool = True) -> Instance:
        """Return an instance, from memory or by folding its entries. Raises KeyError.

        steps: False if the caller needs no steps.
        """
        instance = self._instances.get(key)
        return self.journal.load(key, steps=steps) if instance is None else instance

    def sound(self, key: int) -> Instance | None:
        """Return an instance; None if its history is damaged, or if it does not exist."""
        try:
            return self.instance(key)
        except KeyError:
            return None
        except DamagedHistory as error:
            self.tell_damage(error.key, str(error))
            return None

    @contextmanager
    def leaving_damaged_alone(self) -> Iterator[None]:
        """Report damage to one instance once, and let all others go on."""
        try:
            yield
        except DamagedHistory as error:
            self.tell_damage(error.key, str(error))

    def tell_damage(self, key: int, text: str) -> None:
        """Say once that an instance cannot be read."""
        if key not in self._damaged:
            self._damaged.add(key)
            self.report(text)

    def next_due_ms(self) -> int | None:
        """Return the earliest deadline of all instances; None when there is none."""
        live = (run.instance.next_due_ms() for run in self._runs.values())
        known = [due_ms for due_ms in live if due_ms is not None]
        dormant_ms = lists.next_wake_ms(self.journal)
        return min(known if dormant_ms is None else [*known, dormant_ms], default=None)

    def is_executing(self, instance: Instance) -> bool:
        """Whether a callback of an instance executes, or may execute."""
        run = self._run_of.get(instance.key)
        return run is not None and not run.at_rest

    def in_flight(self) -> set[tuple[int, str, int]]:
        """Return the work that does not wait for time: (run, step key, attempt) of each.

        Without a key: code between steps.
        """
        found: set[tuple[int, str, int]] = set()
        between = (CallState.ANSWERING, CallState.ASKING)
        for run in self._runs.values():
            if run.blocked:
                continue
            for key, call in run.calls.items():
                if call.state is CallState.EXECUTING:
                    found.add((run.number, key, call.attempt))
            if not run.calls or any(call.state in between for call in run.calls.values()):
                found.add((run.number, "", 0))
        return found

    # --- recording

    def record(self, instance: Instance, entries: Sequence[Entry], *, late: bool = False) -> None:
        """Record entries of an instance and apply them to it.

        late: nobody waits for it, so it need not be durable soon.
        """
        status = instance.status
        self.journal.append(*entries, late=late)
        for entry in entries:
            fold.apply(instance, entry)
            if entry.step and (due_ms := instance.steps[entry.step].due_ms) is not None:
                self.timers.set(instance.key, due_ms)
        if entries and entry.step and len(entry.value) > LARGE_BYTES:  # the disk keeps it
            instance.steps[entry.step].value = self.journal.left(instance.key)
        if instance.status is not status:
            self.project(instance, late=late)

    def project(self, instance: Instance, *, late: bool = False) -> None:
        """Record the part of an instance's state that the table of instances repeats."""
        waiting = instance.status is Status.WAITING
        wake_ms = instance.next_due_ms() if waiting else None
        at_ms = None
        if instance.is_terminal:
            definition = self.definitions.get(instance.workflow)
            at_ms = expires_ms(instance, definition.retention if definition else Retention())
        self.journal.set_status(
            instance.key, instance.status, wake_ms, instance.ended_ms, at_ms, late=late
        )
        self.expiry.expect(at_ms)
        if instance.is_terminal:
            self.drop_leftovers(instance)
        if instance.is_terminal or instance.status in (Status.PAUSED, Status.ROLLING_BACK):
            self.timers.forget(instance.key)

    def drop_leftovers(self, instance: Instance) -> None:
        """Delete streams of attempts that did not succeed; none of them may execute."""
        if self.journal.chunks.has(instance.key):
            self.journal.chunks.keep(instance.key, streams.kept_streams(instance))

    def drop_output(self, run: Run, call: Call) -> None:
        """Delete the sent part of the stream of an attempt that has not succeeded."""
        if call.output is not None:
            self.journal.chunks.drop(run.instance.key, call.output.id)
            if run.streamed is not None:
                run.streamed -= call.output.size
            call.output = None

    # --- coming and going

    def keep(self, instance: Instance) -> Instance:
        """Keep an instance in memory; return the object that is there, which may be another."""
        return self._instances.setdefault(instance.key, instance)

    def replace(self, instance: Instance) -> None:
        """Keep this object in memory instead of another fold of the same instance."""
        self._instances[instance.key] = instance

    def evict(self, instance: Instance) -> None:
        """Remove an instance from memory unless it runs, or will run soon and takes little room."""
        key = instance.key
        if key in self._run_of or key in self.admitting:
            return
        if not self.is_queued(key) or instance.is_large:
            self._instances.pop(key, None)

    def forget(self, key: int) -> None:
        """Forget an instance without a run: memory is ahead of the journal, or it was deleted."""
        self._instances.pop(key, None)
        self.timers.forget(key)
        self.ready.remove(key)
        self.suspects.pop(key, None)
        self.admitting.discard(key)

    def start_over(self, plan: StartOver) -> Instance:
        """Forget all or part of the history of an instance without a run; return what is left."""
        key = plan.instance.key
        fresh = Instance(key, plan.instance.workflow, plan.instance.id)
        self.timers.forget(key)
        if plan.struck is None:
            self.journal.wipe(key)
        else:
            self.journal.strike(key, list(plan.struck))
        for entry in plan.kept:
            fold.apply(fresh, entry)
        self.replace(fresh)
        self.record(fresh, [plan.first])
        self.project(fresh)
        return fresh

    def new_number(self) -> int:
        """Return the number of the next run, or probe."""
        self._next_run += 1
        return self._next_run - 1

    def enter(self, run: Run) -> None:
        """A run begins; its instance takes a seat."""
        instance = run.instance
        self._runs[run.number] = self._run_of[instance.key] = run
        self._instances[instance.key] = instance
        self.ready.occupy(instance.key, instance.workflow)

    def leave(self, run: Run) -> None:
        """A run is over: unfinished streams are deleted, and the seat of its instance is free."""
        if run.streamed is not None:
            for call in run.calls.values():
                self.drop_output(run, call)
        del self._runs[run.number]
        del self._run_of[run.instance.key]
        self.ready.vacate(run.instance.key)

    def stop(self) -> None:
        """Wake and delete no instance any more."""
        self.closed = True
        self.timers.stop()
        self.expiry.stop()

    # --- for tests

    def check(self) -> Census:
        """Return how much there is in memory. Raises AssertionError if it contradicts itself.

        It reads every instance that is in memory.
        """
        assert set(self._run_of) == {run.instance.key for run in self._runs.values()}
        assert self.ready.active <= self._run_of.keys() | self.suspects.keys()
        for run in self._runs.values():
            instance = run.instance
            assert self._instances[instance.key] is instance
            assert not instance.is_terminal and instance.status is not Status.PAUSED
            assert run.state.pauses is (instance.status is Status.WAITING_FOR_PAUSE)
            assert (run.state.gate is Gate.REFUSING) is (instance.status is Status.ROLLING_BACK)
            assert run.deferred == [] or run.state.gate is Gate.SHUT
        for key, instance in self._instances.items():
            assert key in self._run_of or self.is_queued(key) or key in self.admitting
            assert key in self.unrecorded or self.journal.load(key) == instance
        timers = len(self.timers)
        return Census(len(self._runs), len(self._instances), timers, len(self.ready.active))

    def keys(self) -> set[int]:
        """Return every instance that is in any part of the roster."""
        known = {*self._instances, *self._run_of, *self.timers.keys(), *self.ready.keys()}
        return known | {*self.suspects, *self.homeless, *self.admitting}
