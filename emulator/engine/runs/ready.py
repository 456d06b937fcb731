"""Which instance runs next: woken ones before new ones, in order, while there is room.

There are `concurrency` seats in all, and each workflow may have a limit of its own. A workflow at
its limit delays no other: its instances are passed over until one that runs waits or ends.
Only running instances count; one that wakes has priority over queued ones.
Source: docs/platform/workflows.md, "The queue".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Set
from itertools import count


class _Lane:
    """The instances of one workflow that are queued, and how many of them run."""

    __slots__ = ("waking", "new", "running")

    def __init__(self) -> None:
        self.waking: OrderedDict[int, int] = OrderedDict()  # key -> its turn, counted over all
        self.new: OrderedDict[int, int] = OrderedDict()
        self.running = 0

    @property
    def next_turn(self) -> tuple[bool, int]:
        """Its next instance's place in the order of all workflows: the smallest is first."""
        queue = self.waking or self.new
        return not self.waking, queue[next(iter(queue))]


class ReadyQueue:
    """The queue of instances to start, and the count of running ones.

    The cost of an operation does not depend on the number of instances; `take` depends on the
    number of workflows.
    """

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.limits: Mapping[str, int] = {}  # by workflow, of those that have one
        self._lanes: dict[str, _Lane] = {}  # by workflow
        self._queued: dict[int, _Lane] = {}
        self._active: dict[int, _Lane] = {}
        self._turns = count()

    def __len__(self) -> int:
        return len(self._queued)

    def __contains__(self, key: int) -> bool:
        return key in self._queued

    @property
    def active(self) -> Set[int]:
        """The instances that have a seat."""
        return self._active.keys()

    def keys(self) -> set[int]:
        """Return every instance that is queued or has a seat."""
        return {*self._queued, *self._active}

    def add(self, key: int, workflow: str, waking: bool) -> None:
        """Queue an instance once."""
        if key not in self._queued:
            lane = self._queued[key] = self._lane(workflow)
            (lane.waking if waking else lane.new)[key] = next(self._turns)

    def take(self) -> int | None:
        """Return the next instance to start; None if there is none, or no room for it."""
        if not self._queued or len(self._active) >= self.concurrency:
            return None
        startable = (lane for name, lane in self._lanes.items() if self._may_start(name, lane))
        lane = min(startable, key=lambda lane: lane.next_turn, default=None)
        if lane is None:
            return None
        key, _ = (lane.waking or lane.new).popitem(last=False)
        del self._queued[key]
        return key

    def remove(self, key: int) -> None:
        """Remove an instance from the queue and from the running ones."""
        lane = self._queued.pop(key, None)
        if lane is not None:
            lane.waking.pop(key, None)
            lane.new.pop(key, None)
        self.vacate(key)

    def occupy(self, key: int, workflow: str) -> None:
        """Count the instance as running."""
        if key not in self._active:
            lane = self._active[key] = self._lane(workflow)
            lane.running += 1

    def vacate(self, key: int) -> None:
        """Count the instance as not running: it waits or has ended."""
        lane = self._active.pop(key, None)
        if lane is not None:
            lane.running -= 1

    def _lane(self, workflow: str) -> _Lane:
        return self._lanes.setdefault(workflow, _Lane())

    def _may_start(self, workflow: str, lane: _Lane) -> bool:
        if not (lane.waking or lane.new):
            return False
        limit = self.limits.get(workflow)
        return limit is None or lane.running < limit
