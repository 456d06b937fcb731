"""Where a worker under test may crash: noted in one run, and made to happen in others.

Two kinds of points: after a commit of the journal, and when a callback has returned but that is not
recorded yet. The guest is killed there. In the second case the callback is executed again, which
at-least-once allows.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from emulator.engine.model.entries import Entry, origin_of
from emulator.engine.model.step_key import StepKey

AFTER, BEFORE = "commit", "end"  # kinds of points


class Point(Struct, frozen=True):
    """One point: its kind, its number among those of its kind, what happened there, and where."""

    kind: str
    number: int
    text: str
    line: str = ""

    @property
    def name(self) -> str:
        """How it is named on the command line: `"commit:3"`."""
        return f"{self.kind}:{self.number}"


class Crashes:
    """The points that one worker has passed, and the one at which it is killed."""

    def __init__(self) -> None:
        self.at = ""  # the name of a point; "": none
        self.happened = False
        self.passed: list[Point] = []
        self._counts = {AFTER: 0, BEFORE: 0}
        self._lines: dict[str, str] = {}  # step -> its place in the code

    def committed(self, entries: Sequence[Entry]) -> bool:
        """Note a commit; return whether the guest is killed now."""
        for entry in entries:
            if entry.step and (origin := origin_of(entry)) is not None and origin.line:
                self._lines[entry.step] = origin.line
        last = entries[-1]
        text = ", ".join(dict.fromkeys(_shown(entry) for entry in entries))
        return self._passes(AFTER, f"after {text}", self._lines.get(last.step, ""))

    def returned(self, name: str, count: int, line: str) -> bool:
        """Note that a callback has returned; return whether that is lost with the guest."""
        return self._passes(BEFORE, f'step "{name}" #{count} is executed twice', line)

    def _passes(self, kind: str, text: str, line: str) -> bool:
        self._counts[kind] += 1
        point = Point(kind, self._counts[kind], text, line)
        self.passed.append(point)
        if self.happened or point.name != self.at:
            return False
        self.happened = True
        return True


def _shown(entry: Entry) -> str:
    step = f' "{StepKey.of(entry.step).name}"' if entry.step else ""
    return f"{entry.kind.name.lower().replace('_', ' ')}{step}"
