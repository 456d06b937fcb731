"""How the code of a workflow no longer fits what an instance has done: what was found, as values.

`comparison.py` finds it, the journal keeps it, `cli` shows it. Nothing here does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = Any


class Change(StrEnum):
    """What became of a recorded step."""

    RENAMED = "renamed"  # a new step of the same kind stands at its place
    REPLACED = "replaced"  # a new step of another kind stands at its place
    KIND = "kind changed"  # the same name, asked for as another kind
    COUNT = "count shifted"  # the name is asked for less often
    REMOVED = "removed"
    UNREACHABLE = "unreachable"  # the code still has it, and did not come to it
    SLEEP = "sleep changed"  # it still sleeps, and is asked for with another duration
    UNTIL = "sleep_until moved"
    EVENT = "event type changed"  # it still waits, and is asked for with another type


UNNOTICED = frozenset({Change.SLEEP, Change.UNTIL, Change.EVENT})  # the step itself is still there


class Policy(StrEnum):
    """What is done about it: `[workflows] on_divergence`."""

    HOLD = "hold"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One change. `kind` and `name` are the recorded step's, `counts` which calls of that name.

    new_kind, new_name: what stands at its place, where there is something. detail: recorded and
    asked-for value, in words, of a sleep or event. line: of the new code, `"src/entry.py:31"`.
    """

    change: Change
    kind: str
    name: str
    counts: tuple[int, ...]
    new_kind: str = ""
    new_name: str = ""
    detail: str = ""
    line: str = ""
    done: bool = False  # at least one of the recorded steps has ended


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One step in the comparison. `sign`: " " asked for, "-" recorded only, "+" new, "~" changed.

    state: of a recorded step, as `StepState` has it. line: of the new code; for "-" of the old.
    """

    sign: str
    kind: str
    name: str
    count: int
    state: str = ""
    line: str = ""


@dataclass(frozen=True, slots=True)
class Divergence:
    """All that was found in one instance.

    missing: keys of the recorded steps that were not asked for. later: those of them that the run
    has only not come to yet. stands: how the replay ended, "rested", "ended" or "restless"; why:
    what `run()` raised, or what it did outside steps. within: the step in whose callback
    it was found; empty: in `run()` itself.
    """

    findings: tuple[Finding, ...]
    diff: tuple[DiffLine, ...]
    missing: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    stands: str = "rested"
    why: str = ""
    within: str = ""

    @property
    def signature(self) -> tuple[Json, ...]:
        """Equal for instances that diverge in the same way, however far each has come."""
        found = {(f.change.value, f.kind, f.name, f.new_kind, f.new_name) for f in self.findings}
        return (self.stands, self.within, *sorted(found))

    def as_json(self) -> dict[str, Json]:
        """Return it as plain JSON."""
        return {
            "findings": [
                {
                    "change": finding.change.value,
                    "kind": finding.kind,
                    "name": finding.name,
                    "counts": list(finding.counts),
                    "newKind": finding.new_kind,
                    "newName": finding.new_name,
                    "detail": finding.detail,
                    "line": finding.line,
                    "done": finding.done,
                }
                for finding in self.findings
            ],
            "diff": [
                [each.sign, each.kind, each.name, each.count, each.state, each.line]
                for each in self.diff
            ],
            "missing": list(self.missing),
            "later": list(self.later),
            "stands": self.stands,
            "why": self.why,
            "within": self.within,
        }

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> Divergence:
        """Return what `as_json` wrote down."""
        return cls(
            tuple(
                Finding(
                    Change(each["change"]),
                    each["kind"],
                    each["name"],
                    tuple(each["counts"]),
                    each["newKind"],
                    each["newName"],
                    each["detail"],
                    each["line"],
                    each["done"],
                )
                for each in data["findings"]
            ),
            tuple(DiffLine(*each) for each in data["diff"]),
            tuple(data["missing"]),
            tuple(data["later"]),
            data["stands"],
            data["why"],
            data.get("within", ""),
        )


@dataclass(frozen=True, slots=True)
class Diverged:
    """An instance that does not fit the code, and what was done about it."""

    workflow: str
    id: str
    divergence: Divergence
    action: Policy
