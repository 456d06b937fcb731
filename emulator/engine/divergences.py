"""Whether changed code fits the instances that run on it, and what to do if it does not.

`guard/` compares, and decides what follows for the instance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.engine.actions import (
    Action,
    Actions,
    Begin,
    Drop,
    Evict,
    GoOn,
    Later,
    Queue,
    Report,
    Tell,
    WhenDurable,
)
from emulator.engine.decide.step_call import StepCall
from emulator.engine.guard import held, mixups
from emulator.engine.guard.callback_guard import PATIENCE_MS
from emulator.engine.guard.probes import Probes
from emulator.engine.guests.serving import Serving
from emulator.engine.model import identity
from emulator.engine.model.divergence import Diverged, Divergence, Policy
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.instance_entries import CodeVersion, FoundDivergence
from emulator.engine.roster import Roster
from emulator.engine.runs import streams
from emulator.engine.runs.run import Run
from emulator.engine.runs.states import Event, Gate
from emulator.protocol.runs import Replayed, RunMessage, RunRelease, StepBegin, StreamRead


class Divergences:
    """Judges guarded runs, and callbacks that run again on other code.

    policy: what to do with an instance that diverges. told: called with each of them.
    """

    def __init__(self, roster: Roster, serving: Serving) -> None:
        self.policy = Policy.HOLD
        self.told: Callable[[Diverged], None] = lambda diverged: None
        self._roster = roster
        self._serving = serving
        self._configs_told: set[tuple[str, str, int]] = set()  # workflow, step, generation
        self._mixed_told: set[tuple[str, str, str]] = set()  # workflow, kind, step

    def hear_step(self, run: Run, message: StepBegin) -> Actions:
        """A guarded run calls a step that history does not answer."""
        assert run.guard is not None
        run.guard.hear_step(message, self._roster.clock.now_ms())
        return self._judge(run)

    def replayed(self, run: Run, message: Replayed) -> Actions:
        """A guarded run reports how far it has come without a new step."""
        if run.state.gate is not Gate.GUARDED:
            return ()
        assert run.guard is not None
        run.guard.hear(message)
        return self._judge(run)

    def _judge(self, run: Run) -> Actions:
        guard, instance = run.guard, run.instance
        assert guard is not None
        now_ms, generation = self._roster.clock.now_ms(), self._serving.generation
        if not guard.is_decided or run.state.leaves:  # if it leaves, the next code is judged
            return ()
        divergence = guard.divergence(now_ms)
        if divergence is not None:
            return self.diverge(instance, divergence)
        run.guard = None
        run.state.happens(Event.FITS)
        code = CodeVersion(generation)
        changed = Entry(instance.key, now_ms, EntryKind.CODE_CHANGED, data=code)
        self._roster.record(instance, [changed])
        return (
            *self._configs(instance, guard.other_configs()),
            Tell(run.number, RunRelease(run.number)),
            *(Begin(run.number, call) for call in guard.begun),
        )

    def judge_callback(self, run: Run, parent: str, waited_ms: int = PATIENCE_MS) -> Actions:
        """A callback asked for a new step, and not for all steps that are recorded for it.

        Other callbacks of the run may end first, within the grace.
        """
        roster = self._roster
        if not roster.has(run) or run.guest is not self._serving.guest:
            return ()
        assert run.nesting is not None
        instance, now_ms = run.instance, roster.clock.now_ms()
        divergence = run.nesting.divergence(parent, instance, now_ms)
        if divergence is None:
            return ()
        run.state.happens(Event.LEAVE)
        if waited_ms < self._serving.grace_ms and not run.only_executes(parent):
            again = partial(self.judge_callback, run, parent, waited_ms + PATIENCE_MS)
            return (Later(PATIENCE_MS, again),)
        roster.record(instance, run.interruptions(now_ms))
        if run.state.pauses:  # it is judged again when it is resumed
            return (Drop(instance), GoOn(instance))
        return self.diverge(instance, divergence)

    def diverge(self, instance: Instance, divergence: Divergence) -> Actions:
        """Record that the code does not fit an instance, and do what the policy says."""
        action = held.action_for(divergence, self.policy)
        language = self._roster.language_of(instance.workflow)
        told = Diverged(instance.workflow, instance.id, divergence, action, language)
        if action is Policy.HOLD and held.is_known(instance, divergence):
            self.told(told)
            return ()
        now_ms, generation = self._roster.clock.now_ms(), self._serving.generation
        found = FoundDivergence(action, generation, divergence)
        entries = held.diverged(instance, found, language, now_ms)
        self._roster.record(instance, entries)
        follows: list[Action] = [Drop(instance)]
        if action is Policy.WARN:  # at once: the step for which it waited may not exist any more
            follows.append(Queue(instance))
        return (*follows, Evict(instance), WhenDurable(partial(self._tell, told)))

    def _tell(self, diverged: Diverged) -> Actions:
        self.told(diverged)
        return ()

    def is_moving(self, key: int) -> bool:
        """Whether an instance still has a run on the previous code."""
        run = self._roster.run_of(key)
        return run is not None and run.guest is not self._serving.guest

    def probe(self, key: int, probes: Probes) -> int | None:
        """Replay an instance that has no run; return the number of the probe, or None."""
        roster, guest, feed = self._roster, self._serving.guest, self._serving.feed
        instance = None if guest is None else self.dormant(key)
        if guest is None or feed is None or instance is None:
            return None
        definition = roster.definitions.get(instance.workflow)
        if definition is None or definition.class_name not in guest.loaded.workflows:
            return None
        number, read = roster.new_number(), roster.journal.value
        probes.start(number, instance, definition.class_name, guest, feed, read)
        return number

    def hear_probe(self, probes: Probes, message: RunMessage) -> None:
        """A guest names a run that is not in the roster: a probe, or a run that is over."""
        if not isinstance(message, StreamRead):
            probes.hear(message, self._roster.clock.now_ms())
            return
        probe, feed = probes.get(message.run), self._serving.feed
        if probe is not None and feed is not None:
            journal = self._roster.journal
            feed.put(streams.piece(journal, probe.key, message) for _ in range(1))

    def probed(self, key: int, divergence: Divergence | None) -> Actions:
        """A probe has ended: hold the instance if it does not fit; go on if it fits again."""
        instance = self.dormant(key)
        if instance is None:
            return ()
        generation, now_ms = self._serving.generation, self._roster.clock.now_ms()
        if divergence is None and instance.is_held:
            divergence = held.unseen(instance, generation)
        if divergence is not None:
            return self.diverge(instance, divergence)
        if not instance.is_held:
            return ()
        decision = held.fits_again(instance, generation, now_ms)
        self._roster.record(instance, decision.entries)
        return (*decision.actions, Evict(instance))

    def dormant(self, key: int) -> Instance | None:
        """Return an instance that waits or is held and has no run; None for any other."""
        roster = self._roster
        if roster.journal.row(key) is None or roster.run_of(key) or roster.is_queued(key):
            return None
        instance = roster.sound(key)
        if instance is None or not (instance.is_held or instance.status is Status.WAITING):
            return None
        return instance

    def mixed(self, instance: Instance, call: StepCall) -> Actions:
        """Say once that the official engine may take a new nested step for another one."""
        other = mixups.mixed_with(instance, call)
        said = (instance.workflow, call.kind.value, call.name)
        if not other or said in self._mixed_told or identity.is_recorded(instance, call.key):
            return ()
        self._mixed_told.add(said)
        return (Report(mixups.warning(instance, call, other)),)

    def _configs(self, instance: Instance, names: list[str]) -> list[Action]:
        """Say, once for each step and version of the code, that a recorded configuration stays."""
        follows: list[Action] = []
        for name in names:
            said = (instance.workflow, name, self._serving.generation)
            if said not in self._configs_told:
                self._configs_told.add(said)
                text = (
                    f'{instance.workflow}: step "{name}" has another configuration now; where it'
                    " has begun, the recorded one stays until it has ended"
                )
                follows.append(Report(text))
        return follows
