"""Compares recorded steps with those that the code asks for now: does it still fit? Pure.

Steps are identified by kind, name and their number among the calls of this kind and name, never by
position. So branches of a `gather` may change places. A recorded step that is not asked for is a
divergence. A step after the recorded ones, another body and another retry configuration are not.
For a step that still sleeps or waits, the duration or event counts too; after its end it does not.

Steps in callbacks are compared separately (`callback_guard.py`), as callbacks do not run in a
replay.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from msgspec import Struct, field

from emulator.durations import InvalidDuration, format_duration, parse_duration_ms
from emulator.engine.model.divergence import Change, DiffLine, Divergence, Finding
from emulator.engine.model.places import Place
from emulator.engine.model.plain import iso_date
from emulator.engine.model.step import Step, StepState
from emulator.engine.model.step_key import StepKind
from emulator.json_types import Json

_UNTIL_TOLERANCE_MS = 2_000  # "an hour from now" is a new time in each replay
_CONTEXT = 3  # unchanged steps shown around a change


class Asked(Struct, frozen=True):
    """A step as the code asked for it; `options` as in StepBegin, None if history answered."""

    kind: str
    name: str
    count: int
    line: str = ""
    options: dict[str, Json] | None = None

    @property
    def place(self) -> Place:
        """Which call of its caller it is."""
        return self.kind, self.name, self.count


class ReplayReport(Struct, frozen=True):
    """What a guarded run did: everything it asked for, in order, and how it ended.

    stands: "rested", "ended" or "restless"; why: what `run()` raised, or did outside steps.
    declared: name -> line of steps that the code has but did not call.
    """

    asked: Sequence[Asked]
    stands: str = "rested"
    why: str = ""
    declared: dict[str, str] = field(default_factory=dict)


def compare(
    steps: Iterable[Step], replay: ReplayReport, now_ms: int, parent: str = ""
) -> Divergence | None:
    """Return how `replay` differs from the recorded `steps`, or None if it fits.

    parent: the step whose callback called them; empty if `run()` called them.
    """
    recorded = [s for s in steps if s.parent == parent and s.kind is not StepKind.ROLLBACK]
    asked = {each.place: each for each in replay.asked}
    missing = [step for step in recorded if step.place not in asked]
    moved = {
        step.place: finding
        for step in recorded
        if step.place in asked and (finding := pending_change(step, asked[step.place], now_ms))
    }
    if not missing and not moved:
        return None
    comparison = _Comparison(recorded, missing, replay)
    return Divergence(
        (*comparison.findings(), *moved.values()),
        tuple(_shortened(comparison.diff(moved))),
        tuple(step.key for step in missing),
        tuple(comparison.later),
        replay.stands,
        replay.why,
    )


def pending_change(step: Step, asked: Asked, now_ms: int) -> Finding | None:
    """Return what differs about a step that still sleeps or waits."""
    if step.has_ended or asked.options is None:
        return None
    changed = _changed(step, asked.options, now_ms)
    if changed is None:
        return None
    change, was, is_now = changed
    detail = f"{was} -> {is_now}"
    return Finding(change, step.kind, step.name, (step.count,), detail=detail, line=asked.line)


def _changed(step: Step, options: dict[str, Json], now_ms: int) -> tuple[Change, str, str] | None:
    """Return what was changed, what is recorded, and what is asked for now."""
    if step.state is StepState.WAITING and options.get("type") != step.event_type:
        return Change.EVENT, f'"{step.event_type}"', f'"{options.get("type")}"'
    if step.state is not StepState.SLEEPING:
        return None
    if "timestamp" in options:
        return _moved(step, options["timestamp"], now_ms)
    given = options.get("duration")
    duration_ms = _duration_ms(given)
    if duration_ms == step.timeout_ms:
        return None
    is_now = repr(given) if duration_ms is None else format_duration(duration_ms)
    return Change.SLEEP, format_duration(step.timeout_ms), is_now


def _moved(step: Step, timestamp: Json, now_ms: int) -> tuple[Change, str, str] | None:
    """Return the change of a time, unless it only follows the time of day."""
    until_ms = step.since_ms + step.timeout_ms
    if isinstance(timestamp, int | float) and math.isfinite(timestamp):
        if int(timestamp) == until_ms:
            return None
        if abs((timestamp - now_ms) - step.timeout_ms) <= _UNTIL_TOLERANCE_MS:
            return None
    return Change.UNTIL, _shown_time(until_ms), _shown_time(timestamp)


def _shown_time(timestamp: Json) -> str:
    if isinstance(timestamp, int | float):
        with suppress(ValueError, OverflowError, OSError):  # out of range
            return iso_date(timestamp)
    return repr(timestamp)


def _duration_ms(given: Json) -> int | None:
    try:
        return parse_duration_ms(given)
    except InvalidDuration:
        return None


class _Comparison:
    """Finds out what happened to each missing step."""

    def __init__(self, recorded: list[Step], missing: list[Step], replay: ReplayReport) -> None:
        self._recorded = recorded
        self._replay = replay
        self._missing = {step.place: step for step in missing}
        known = {step.place for step in recorded}
        self._position = {step.place: n for n, step in enumerate(recorded)}
        self._new = [each for each in replay.asked if each.place not in known]
        self._names = {(each.kind, each.name) for each in replay.asked}
        self._known_names = {(step.kind.value, step.name) for step in recorded}
        # For each new step, the last recorded position that was asked for before it.
        self._before: dict[Place, int] = {}
        furthest = -1
        for each in replay.asked:
            if each.place in known:
                furthest = max(furthest, self._position[each.place])
            else:
                self._before[each.place] = furthest
        self._furthest = furthest
        self.later: list[str] = []

    def findings(self) -> list[Finding]:
        left = dict(self._missing)
        unpaired = {each.place: each for each in self._new}
        pairs: dict[tuple[str, str], tuple[Change, Asked]] = {}
        found: dict[tuple[Change, str, str, str, str], list[Step]] = {}
        lines: dict[tuple[Change, str, str, str, str], str] = {}

        def note(step: Step, change: Change, new: Asked | None, line: str = "") -> None:
            names = (new.kind, new.name) if new else ("", "")
            key = (change, step.kind.value, step.name, *names)
            found.setdefault(key, []).append(step)
            lines.setdefault(key, new.line if new else line)
            del left[step.place]

        for step in list(left.values()):
            name = (step.kind.value, step.name)
            if name in pairs:
                note(step, *pairs[name])
                continue
            paired = self._counterpart(step, unpaired)
            if paired is not None:
                pairs[name] = paired
                unpaired.pop(paired[1].place)
                note(step, *paired)
        passed = {step.place for step in left.values() if self._is_passed(step)}
        if not found and not passed:
            passed = set(left)  # they were not reached, and there is no other reason
        for step in list(left.values()):
            if (step.kind.value, step.name) in self._names:
                note(step, Change.COUNT, None)
            elif step.place not in passed:
                self.later.append(step.key)
            elif step.name in self._replay.declared:
                note(step, Change.UNREACHABLE, None, self._replay.declared[step.name])
            else:
                note(step, Change.REMOVED, None)
        return [
            Finding(
                *key[:3],
                counts=tuple(step.count for step in steps),
                new_kind=key[3],
                new_name=key[4],
                line=lines[key],
                done=any(step.has_ended for step in steps),
            )
            for key, steps in found.items()
        ]

    def _counterpart(self, step: Step, unpaired: dict[Place, Asked]) -> tuple[Change, Asked] | None:
        """Return the new step at the place of `step`, or None."""
        other_kind = None
        for new in unpaired.values():
            if new.name == step.name and new.count == step.place[2] and new.kind != step.kind:
                return Change.KIND, new
        if (step.kind.value, step.name) in self._names:
            return None  # it is still called, only less often
        for new in unpaired.values():
            if (new.kind, new.name) in self._known_names or self._lies_beyond(step, new):
                continue
            if new.kind == step.kind:
                return Change.RENAMED, new
            other_kind = other_kind or new
        return None if other_kind is None else (Change.REPLACED, other_kind)

    def _lies_beyond(self, step: Step, new: Asked) -> bool:
        """Whether a recorded step between the two was asked for: then the places differ."""
        return self._before[new.place] > self._position[step.place]

    def _is_passed(self, step: Step) -> bool:
        """Whether the run went on without the step, and has not only not reached it yet."""
        return self._replay.stands == "ended" or self._furthest > self._position[step.place]

    def diff(self, changed: Collection[Place]) -> list[DiffLine]:
        """Return all steps in the recorded order, with new ones where they were asked for."""
        asked = {each.place: each for each in self._replay.asked}
        following: dict[Place | None, list[Asked]] = {None: []}
        last = None
        for each in self._replay.asked:
            if each.place in self._position:
                last = each.place
                following.setdefault(last, [])
            else:
                following[last].append(each)
        lines: list[DiffLine] = []
        waiting = following[None]
        for step in self._recorded:
            key = (step.kind.value, step.name, step.count, step.state.value)
            if step.place not in asked:
                lines.append(DiffLine("-", *key, line=step.line))
                continue
            lines += map(_added, waiting)
            sign = "~" if step.place in changed else " "
            lines.append(DiffLine(sign, *key, line=asked[step.place].line))
            waiting = following[step.place]
        return [*lines, *map(_added, waiting)]


def _added(asked: Asked) -> DiffLine:
    return DiffLine("+", asked.kind, asked.name, asked.count, line=asked.line)


def _shortened(lines: list[DiffLine]) -> list[DiffLine]:
    """Keep changes and a few lines around them; `DiffLine("…", …)` marks left out lines."""
    near: set[int] = set()
    for place, line in enumerate(lines):
        if line.sign != " ":
            near.update(range(place - _CONTEXT, place + _CONTEXT + 1))
    shown: list[DiffLine] = []
    for place, line in enumerate(lines):
        if place in near:
            shown.append(line)
        elif not shown or shown[-1].sign != "…":
            shown.append(DiffLine("…", StepKind.DO, "", 0))
    return shown
