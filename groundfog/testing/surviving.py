"""What a test does, again and again: with a crash at another point, or in another order each time.

The first run notes every point at which the worker may crash. Each further run begins with the
state that the worker had when the test function began, and loses the guest at one of them, or lets
what is under way at the same time end in another order. What comes of it must be the same: outputs
of instances, rows of D1, what is in KV and R2, messages to queues, requests.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groundfog.testing.errors import CrashFound

SHOWN_MAX = 3  # findings in one message
SHRINKS_MAX = 24  # runs that look for a shorter plan
REPLAY, ORDER = "replay", "order:"  # names beside those of crash points
_KEYS = frozenset({"points", "twice", "orders", "ignore"})

Outcome = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    points: "all", or how many. twice: also those at which a callback is executed twice.
    orders: how many others. ignore: parts of names that are not compared. seed: chooses both.
    """

    points: str | int = "all"
    twice: bool = True
    orders: int = 0
    ignore: tuple[str, ...] = ()
    seed: str = "0"

    @classmethod
    def of(cls, args: Sequence[Any], given: Mapping[str, Any], seed: str) -> Wanted:
        """Return what the mark says. Raises ValueError."""
        unknown = sorted(set(given) - _KEYS)
        if unknown or args:
            named = unknown[0] if unknown else repr(args[0])
            raise ValueError(f"survives_crash has no option {named}; it has {sorted(_KEYS)}")
        points, orders = given.get("points", "all"), given.get("orders", 0)
        if points != "all" and not (isinstance(points, int) and points > 0):
            raise ValueError(f'survives_crash: points is {points!r}; expected "all" or a number')
        if not isinstance(orders, int) or orders < 0:
            raise ValueError(f"survives_crash: orders is {orders!r}; expected a number")
        twice, ignore = bool(given.get("twice", True)), tuple(given.get("ignore", ()))
        return cls(points, twice, orders, ignore, seed)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is different in one run. choices: those of its order."""

    text: str
    choices: tuple[Mapping[str, Any], ...] = ()

    @property
    def plan(self) -> list[int]:
        """The numbers of its choices, without the last ones that are 0."""
        numbers = [int(choice["taken"]) for choice in self.choices]
        while numbers and not numbers[-1]:
            numbers.pop()
        return numbers


class Survival:
    """One test, after its function was run once.

    ask: asks the host about the worker. run: does what the test does, `what` in words. again:
    returns the command that repeats one run by its name. only: such a name; nothing else is run.
    """

    def __init__(
        self,
        ask: Callable[..., Any],
        run: Callable[[], object],
        wanted: Wanted,
        again: Callable[[str], str],
        only: str = "",
        what: str = "test",
    ) -> None:
        self._ask = ask
        self._test = run
        self._wanted = wanted
        self._again = again
        self._only = only
        self._what = what
        self._first: Outcome = {}
        self._varying: set[str] = set()
        self.runs = 0

    def go_on(self) -> None:
        """Run the test again, once for each point and order. Raises CrashFound."""
        passed = self._ask("crash.points")["passed"]
        self._first = self._ask("outcome")
        others = self._replays()
        crashes = []
        self._run()
        self._varying = _varying(self._first, self._ask("outcome"))
        for point in self._chosen(passed):
            problem = self._crashed(point)
            if problem:
                crashes.append(f"{_told(point)}\n{problem}\n  Again: {self._again(point['name'])}")
        others += self._ordered()
        if found := [*crashes, *others]:
            says = "does not survive a crash" if crashes else "does not come to the same each time"
            shown = "\n\n".join(found[:SHOWN_MAX])
            more = f"\n\nand {len(found) - SHOWN_MAX} findings more" * (len(found) > SHOWN_MAX)
            raise CrashFound(f"The {self._what} {says}.\n\n{shown}{more}")

    def _run(self, point: str = "", plan: Sequence[int] | None = None, seed: str = "") -> None:
        self.runs += 1
        self._ask("restore")
        self._ask("crash.at", point=point)
        if plan is not None:
            self._ask("order.follow", plan=list(plan), seed=seed)
        self._test()

    # --- replays

    def _replays(self) -> list[str]:
        """Return how replays of the first run differ, under another clock and other chance."""
        if self._only not in ("", REPLAY):
            return []
        return [
            f"In a replay under another clock, with other chance{_at(seen['line'])}:\n"
            f"  {seen['instance']}: {seen['text']}\n  Again: {self._again(REPLAY)}"
            for seen in self._ask("replays")
        ]

    # --- crashes

    def _chosen(self, passed: list[dict[str, str]]) -> list[dict[str, str]]:
        if self._only:
            return [point for point in passed if point["name"] == self._only]
        points = [p for p in passed if self._wanted.twice or not p["name"].startswith("end:")]
        if self._wanted.points == "all" or len(points) <= int(self._wanted.points):
            return points
        numbers = random.Random(self._wanted.seed).sample(
            range(len(points)), int(self._wanted.points)
        )
        chosen = set(numbers)
        return [point for number, point in enumerate(points) if number in chosen]

    def _crashed(self, point: dict[str, str]) -> str:
        """Return what is different after a crash at a point; "" if nothing is."""
        try:
            self._run(point["name"])
        except Exception as error:
            return _failed(error)
        if not self._ask("crash.points")["happened"]:
            return ""
        return self._differing()

    def _differing(self) -> str:
        after = self._ask("outcome")
        return "\n".join(_differences(self._first, after, self._varying, self._wanted.ignore))

    # --- orders

    def _ordered(self) -> list[str]:
        """Return the first order in which something is different, as short as it can be made."""
        if self._only.startswith(ORDER):
            numbers = self._only.removeprefix(ORDER)
            plan = [int(number) for number in numbers.split(".") if number.isdecimal()]
            found = self._in_order(plan)
            return [self._order_told(found)] if found else []
        if self._only or not self._wanted.orders:
            return []
        for number in range(self._wanted.orders):
            found = self._in_order((), f"{self._wanted.seed}/{number}")
            if found:
                return [self._order_told(self._shrunk(found))]
            if not self._ask("order.choices"):  # nothing was under way at the same time
                return []
        return []

    def _in_order(self, plan: Sequence[int], seed: str = "") -> Problem | None:
        try:
            self._run(plan=plan, seed=seed)
            text = self._differing()
        except Exception as error:
            text = _failed(error)
        return Problem(text, tuple(self._ask("order.choices"))) if text else None

    def _shrunk(self, found: Problem) -> Problem:
        """Return a problem with fewer choices that are not the usual ones."""
        runs, place = 0, 0
        while place < len(found.plan) and runs < SHRINKS_MAX:
            plan = found.plan
            if plan[place]:
                runs += 1
                simpler = self._in_order([*plan[:place], 0, *plan[place + 1 :]])
                if simpler:
                    found = simpler
            place += 1
        return found

    def _order_told(self, found: Problem) -> str:
        numbers = ".".join(map(str, found.plan)) or "0"
        changed = [
            f"  {choice['texts'][choice['taken']]}, before {choice['texts'][0]}"
            for choice in found.choices
            if choice["taken"]
        ]
        lines = "\n".join(changed) or "  one after the other, in the order of the calls"
        return f"In another order:\n{lines}\n{found.text}\n  Again: {self._again(ORDER + numbers)}"


def _at(line: str) -> str:
    return f" ({line})" if line else ""


def _failed(error: Exception) -> str:
    return f"  It fails then: {type(error).__name__}: {error}"


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
