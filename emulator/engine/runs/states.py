"""The state of a run: what its guest may begin, what becomes of new steps, what happens at rest.

Rule 1: everything that decides whether a run begins a step, waits, pauses, moves or is dropped is
here. As much as possible is in the tables; code outside of this file changes a state only by an
`Event`.

Rule 2: this file knows neither messages nor instances nor time. The caller of `happens` has
recorded what must be recorded; code that reads a state acts on it.

Theory of operation
===================

A run is three small machines that get the same events.

1. The **allowance**: what the guest may begin by itself. It answers one question: does the engine
   know every callback that is in flight? A run begins `OPENING`: its history is on the way, no
   code runs. With its start it becomes `FREE`, when its guest may begin steps before the engine
   has heard of them, or `ASKING`, when it asks before each. Nobody can pause, move or drop a
   `FREE` run, because nobody knows what it does. So the allowance is recalled (`RECALLING`: the
   guest was told, and has not answered), and the answer makes it `ASKING`. It stays so: a run that
   was recalled asks until it ends.

2. The **gate**: what becomes of a step that the code calls. `OPEN`: it begins. `GUARDED`: the code
   was changed since the instance last ran; the step is compared with the record, and no step
   begins before it is known that the code fits. `SHUT`: a call by `run()` is put aside, because
   the run is to pause or to leave. A step that a callback calls still begins, because the callback
   cannot end without it; so does a step that a free guest began before it was told. `REFUSING`:
   the instance rolls back, and steps fail.

3. **At rest**: what happens as soon as nothing executes: `NOTHING`, it is dropped because it only
   waits (`DROP`), its instance pauses (`PAUSE`), or the run leaves its guest and starts again in
   the one that serves (`MOVE`). A pause can be cancelled, a save cannot. So a run that is to do
   both remembers both (`PAUSE_OR_MOVE`): it pauses, and moves if the pause is cancelled.

The machines are coupled in one place (`_GATE_AT_REST`): a run that is to pause or move shuts an
open gate, and a run that is to do neither any more opens a shut one. A guarded gate stays guarded
until the code is known to fit; only then it matters what is to happen at rest. A guarded run that
is to leave is not judged at all: the code that it comes to counts. A refusing gate stays refusing.

A run **is at rest** when no callback of it executes, and none can begin without the engine knowing:
its allowance is `OPENING` or `ASKING` (`RunState.knows_all`). That is looked at after every event
that can bring it about: the end of a callback, a deadline, the guest's answer to the recall.

An event that a state has no row for changes nothing: it is late, or it says nothing new. The tests
walk every pair of state and event, and hold the picture in ARCHITECTURE.md against the tables.
"""

from __future__ import annotations

from enum import StrEnum


class Allowance(StrEnum):
    """What the guest may begin by itself."""

    OPENING = "opening"  # nothing: it was not told to start the run yet
    FREE = "free"  # steps, as many as RunStart says; some may have begun unheard
    RECALLING = "recalling"  # it was told to ask first and has not answered: as `FREE`
    ASKING = "asking"  # nothing: it asks before each step


class Gate(StrEnum):
    """What becomes of a step that user code calls."""

    GUARDED = "guarded"  # it is compared with what is recorded
    OPEN = "open"  # it begins
    SHUT = "shut"  # it is put aside, when `run()` calls it
    REFUSING = "refusing"  # it fails: the instance rolls back


class AtRest(StrEnum):
    """What happens as soon as nothing executes."""

    NOTHING = "nothing"
    DROP = "drop"  # if it still only waits: the guest forgets it until it is due
    PAUSE = "pause"
    MOVE = "move"
    PAUSE_OR_MOVE = "pause or move"  # pause; or move, should the pause be called off


class Event(StrEnum):
    """What a run hears."""

    # messages, to the guest and from it
    STARTS_FREE = "starts free"  # RunStart with free steps is sent
    STARTS = "starts"  # RunStart without
    ASKS = "asks"  # RunAsking is heard
    FITS = "fits"  # Replayed is heard, and the code fits
    ROLLS_BACK = "rolls back"  # RunEnd is heard with an error, and this run undoes the steps
    # deadlines
    IDLE = "idle"  # it has only waited for a while
    GOES_ON = "goes on"  # it was to be dropped, and does not only wait any more
    # wishes
    RECALL = "recall"  # somebody must know what executes
    PAUSE = "pause"  # a user pauses the instance while something may execute
    RESUME = "resume"  # a user calls the pause off
    LEAVE = "leave"  # other code serves, or is to decide


ALLOWANCES: dict[Allowance, dict[Event, Allowance]] = {
    Allowance.OPENING: {Event.STARTS_FREE: Allowance.FREE, Event.STARTS: Allowance.ASKING},
    Allowance.FREE: {Event.RECALL: Allowance.RECALLING, Event.ASKS: Allowance.ASKING},
    Allowance.RECALLING: {Event.ASKS: Allowance.ASKING},
    Allowance.ASKING: {},
}

GATES: dict[Gate, dict[Event, Gate]] = {
    Gate.GUARDED: {Event.FITS: Gate.OPEN, Event.ROLLS_BACK: Gate.REFUSING},
    Gate.OPEN: {Event.ROLLS_BACK: Gate.REFUSING},
    Gate.SHUT: {Event.ROLLS_BACK: Gate.REFUSING},
    Gate.REFUSING: {},
}

RESTS: dict[AtRest, dict[Event, AtRest]] = {
    AtRest.NOTHING: {
        Event.IDLE: AtRest.DROP,
        Event.PAUSE: AtRest.PAUSE,
        Event.LEAVE: AtRest.MOVE,
    },
    AtRest.DROP: {
        Event.GOES_ON: AtRest.NOTHING,
        Event.PAUSE: AtRest.PAUSE,
        Event.LEAVE: AtRest.MOVE,
    },
    AtRest.PAUSE: {
        Event.RESUME: AtRest.NOTHING,
        Event.LEAVE: AtRest.PAUSE_OR_MOVE,
        Event.ROLLS_BACK: AtRest.NOTHING,  # a rollback goes through
    },
    AtRest.MOVE: {Event.PAUSE: AtRest.PAUSE_OR_MOVE},
    AtRest.PAUSE_OR_MOVE: {Event.RESUME: AtRest.MOVE, Event.ROLLS_BACK: AtRest.MOVE},
}

# (gate, at rest) -> the gate then
_GATE_AT_REST: dict[tuple[Gate, AtRest], Gate] = {
    (Gate.OPEN, AtRest.PAUSE): Gate.SHUT,
    (Gate.OPEN, AtRest.MOVE): Gate.SHUT,
    (Gate.OPEN, AtRest.PAUSE_OR_MOVE): Gate.SHUT,
    (Gate.SHUT, AtRest.NOTHING): Gate.OPEN,
    (Gate.SHUT, AtRest.DROP): Gate.OPEN,
}


class RunState:
    """The state of one run."""

    __slots__ = ("allowance", "gate", "at_rest")

    def __init__(self, gate: Gate = Gate.OPEN) -> None:
        self.allowance = Allowance.OPENING
        self.gate = gate
        self.at_rest = AtRest.NOTHING

    def happens(self, event: Event) -> bool:
        """Take an event in; return whether it changed anything."""
        allowance = ALLOWANCES[self.allowance].get(event, self.allowance)
        at_rest = RESTS[self.at_rest].get(event, self.at_rest)
        gate = GATES[self.gate].get(event, self.gate)
        gate = _GATE_AT_REST.get((gate, at_rest), gate)
        changed = (allowance, gate, at_rest) != (self.allowance, self.gate, self.at_rest)
        self.allowance, self.gate, self.at_rest = allowance, gate, at_rest
        return changed

    @property
    def knows_all(self) -> bool:
        """Whether the engine knows every callback that is in flight."""
        return self.allowance is Allowance.ASKING or self.allowance is Allowance.OPENING

    @property
    def leaves(self) -> bool:
        """Whether the run is to leave its guest: `run()` goes on elsewhere."""
        return self.at_rest is AtRest.MOVE or self.at_rest is AtRest.PAUSE_OR_MOVE

    @property
    def pauses(self) -> bool:
        """Whether the instance is to pause."""
        return self.at_rest is AtRest.PAUSE or self.at_rest is AtRest.PAUSE_OR_MOVE
