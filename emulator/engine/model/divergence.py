"""How the code of a workflow no longer fits what an instance has done: the findings as values.

`comparison.py` finds it, the journal keeps it, `cli` shows it. Nothing here does I/O.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.words import Language

if TYPE_CHECKING:
    from emulator.engine.model.entry_json import DivergenceJson, FindingJson


class Change(StrEnum):
    """What happened to a recorded step."""

    RENAMED = "renamed"  # a new step of the same kind is at its place
    REPLACED = "replaced"  # a new step of another kind is at its place
    KIND = "kind changed"  # the same name, asked for as another kind
    COUNT = "count shifted"  # the name is asked for less often
    REMOVED = "removed"
    UNREACHABLE = "unreachable"  # the code still has it, but did not reach it
    SLEEP = "sleep changed"  # it still sleeps, but the code asks for another duration
    UNTIL = "sleep_until moved"
    EVENT = "event type changed"  # it still waits, but the code asks for another type


UNNOTICED = frozenset({Change.SLEEP, Change.UNTIL, Change.EVENT})  # the step itself is still there


class Policy(StrEnum):
    """What to do about it: `[workflows] on_divergence`."""

    HOLD = "hold"
    WARN = "warn"
    FAIL = "fail"


class Finding(Struct, frozen=True):
    """One change. `kind` and `name` are the recorded step's, `counts` the calls of that name.

    new_kind, new_name: the step at its place, if there is one. detail: the recorded and the new
    value of a sleep or event, in words. line: of the new code, `"src/entry.py:31"`.
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

    def as_json(self) -> FindingJson:
        """Return it as plain JSON."""
        return {
            "change": self.change.value,
            "kind": self.kind,
            "name": self.name,
            "counts": list(self.counts),
            "newKind": self.new_kind,
            "newName": self.new_name,
            "detail": self.detail,
            "line": self.line,
            "done": self.done,
        }

    @classmethod
    def from_json(cls, found: FindingJson) -> Finding:
        """Return what `as_json` wrote. Raises ValueError for an unknown change."""
        return cls(
            Change(found["change"]),
            found.get("kind", ""),
            found.get("name", ""),
            tuple(found.get("counts", ())),
            found.get("newKind", ""),
            found.get("newName", ""),
            found.get("detail", ""),
            found.get("line", ""),
            found.get("done", False),
        )


class DiffLine(Struct, frozen=True):
    """One step of the comparison. `sign`: " " asked for, "-" only recorded, "+" new, "~" changed.

    state: of a recorded step, as in `StepState`. line: of the new code; for "-" of the old code.
    """

    sign: str
    kind: str
    name: str
    count: int
    state: str = ""
    line: str = ""


class Divergence(Struct, frozen=True):
    """All that was found in one instance.

    missing: keys of the recorded steps that were not asked for. later: those of them that the run
    has not reached yet. stands: how the replay ended, "rested", "ended" or "restless"; why:
    what `run()` raised, or what it did outside steps. within: the step in whose callback it was
    found; empty: in `run()` itself.
    """

    findings: tuple[Finding, ...]
    diff: tuple[DiffLine, ...]
    missing: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    stands: str = "rested"
    why: str = ""
    within: str = ""

    @property
    def signature(self) -> tuple[str | tuple[str, ...], ...]:
        """Equal for instances that diverge in the same way, even if one has done more steps."""
        found = {(f.change.value, f.kind, f.name, f.new_kind, f.new_name) for f in self.findings}
        return (self.stands, self.within, *sorted(found))

    def as_json(self) -> DivergenceJson:
        """Return it as plain JSON."""
        return {
            "findings": [finding.as_json() for finding in self.findings],
            "diff": [
                (each.sign, each.kind, each.name, each.count, each.state, each.line)
                for each in self.diff
            ],
            "missing": list(self.missing),
            "later": list(self.later),
            "stands": self.stands,
            "why": self.why,
            "within": self.within,
        }

    @classmethod
    def from_json(cls, found: DivergenceJson) -> Divergence:
        """Return what `as_json` wrote. Raises KeyError if the missing steps are not in it."""
        return cls(
            tuple(map(Finding.from_json, found.get("findings", ()))),
            tuple(DiffLine(*each) for each in found.get("diff", ())),
            tuple(found["missing"]),
            tuple(found.get("later", ())),
            found.get("stands", "rested"),
            found.get("why", ""),
            found.get("within", ""),
        )


class Diverged(Struct, frozen=True):
    """An instance that does not fit the code, and what was done about it. language: of the code."""

    workflow: str
    id: str
    divergence: Divergence
    action: Policy
    language: Language
