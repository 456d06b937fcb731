"""`@pytest.mark.survives_crash`: the test again and again, with a crash at another point each time.

The first run of the test notes every point at which its worker may crash. Each further run begins
with the state that the worker had when the test function began, and loses the guest at one of them.
What comes of it must be the same: outputs of instances, rows of D1, requests.
"""

from __future__ import annotations

import difflib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from groundfog.testing.errors import CrashFound

if TYPE_CHECKING:
    from groundfog.testing.items import TestWorkers

SHOWN_MAX = 3  # findings in one message
_KEYS = frozenset({"points", "twice", "ignore"})

Outcome = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the mark asks for."""

    points: str | int
    twice: bool
    ignore: tuple[str, ...]

    @classmethod
    def of(cls, mark: pytest.Mark) -> _Wanted:
        unknown = sorted(set(mark.kwargs) - _KEYS)
        if unknown or mark.args:
            named = unknown[0] if unknown else repr(mark.args[0])
            raise ValueError(f"survives_crash has no option {named}; it has {sorted(_KEYS)}")
        points = mark.kwargs.get("points", "all")
        if points != "all" and not (isinstance(points, int) and points > 0):
            raise ValueError(f'survives_crash: points is {points!r}; expected "all" or a number')
        return cls(
            points, bool(mark.kwargs.get("twice", True)), tuple(mark.kwargs.get("ignore", ()))
        )


class Survival:
    """One test with the mark, after its fixtures were set up and before its function is called."""

    def __init__(self, item: pytest.Item, workers: TestWorkers, mark: pytest.Mark) -> None:
        self._item = item
        self._workers = workers
        self._wanted = _Wanted.of(mark)
        self._workers.need_python("survives_crash")
        self._workers.ask("checkpoint")

    def go_on(self) -> None:
        """Run the test again, once for each point. Raises CrashFound."""
        passed = self._workers.ask("crash.points")["passed"]
        first = self._workers.ask("outcome")
        self._run("")
        varying = _varying(first, self._workers.ask("outcome"))
        found = []
        for point in self._chosen(passed):
            problem = self._problem(point, first, varying)
            if problem:
                found.append(f"{_told(point)}\n{problem}\n  Again: {self._command(point)}")
        if found:
            shown = "\n\n".join(found[:SHOWN_MAX])
            more = f"\n\nand at {len(found) - SHOWN_MAX} points more" * (len(found) > SHOWN_MAX)
            raise CrashFound(f"The test does not survive a crash.\n\n{shown}{more}")

    def _chosen(self, passed: list[dict[str, str]]) -> list[dict[str, str]]:
        only = self._item.config.getoption("--worker-crash-at")
        if only:
            return [point for point in passed if point["name"] == only]
        points = [p for p in passed if self._wanted.twice or not p["name"].startswith("end:")]
        if self._wanted.points == "all" or len(points) <= int(self._wanted.points):
            return points
        seed = self._item.config.getoption("randomly_seed", None) or self._item.nodeid
        chosen = set(random.Random(str(seed)).sample(range(len(points)), int(self._wanted.points)))
        return [point for number, point in enumerate(points) if number in chosen]

    def _problem(self, point: dict[str, str], first: Outcome, varying: set[str]) -> str:
        """Return what is different after a crash at a point; "" if nothing is."""
        try:
            self._run(point["name"])
        except Exception as error:
            return f"  The test fails then: {type(error).__name__}: {error}"
        if not self._workers.ask("crash.points")["happened"]:
            return ""
        after = self._workers.ask("outcome")
        return "\n".join(_differences(first, after, varying, self._wanted.ignore))

    def _run(self, point: str) -> None:
        self._workers.ask("restore")
        self._workers.ask("crash.at", point=point)
        self._item.runtest()

    def _command(self, point: dict[str, str]) -> str:
        return f"pytest '{self._item.nodeid}' --worker-crash-at {point['name']}"


def _told(point: dict[str, str]) -> str:
    where = f", {point['line']}" if point["line"] else ""
    return f"At {point['name']} ({point['text']}{where}):"


def _varying(one: Outcome, other: Outcome) -> set[str]:
    """Return what differs between two runs without a crash, such as rows with the time of day."""
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def _differences(
    before: Outcome, after: Outcome, varying: set[str], ignore: tuple[str, ...]
) -> list[str]:
    found = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name, []), after.get(name, [])
        if any(part in name for part in ignore) or one == other:
            continue
        if name in varying:
            if len(one) != len(other):
                found.append(f"  {name}: {len(one)} before, {len(other)} with the crash")
            continue
        found.append(f"  {name}, without the crash (-) and with it (+):")
        lines: list[Any] = list(difflib.unified_diff(one, other, lineterm="", n=0))[2:]
        found += [f"    {line}" for line in lines if not line.startswith("@@")]
    return found
