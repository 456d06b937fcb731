"""Whether another instance may be created now: how many are queued, and how fast they come.

The queue is as long as production's. Production's rate is a setting: a local engine is faster, and
tests and imports create thousands of instances at once.
Source: docs/platform/workflows.md, "Limits" and "The queue".
"""

from __future__ import annotations

from msgspec import Struct

from emulator.errors import WorkerError

QUEUED_MAX = 2_000_000  # on the paid plan. Source: docs/platform/workflows.md, "Limits".


class Limits(Struct, frozen=True):
    """The enforced limits. `creation_rate`: instances per second and workflow, or None."""

    queued: int = QUEUED_MAX
    creation_rate: int | None = None


_UNLIMITED = Limits()


class Admission:
    """Counts creations. `limits` may be replaced at any time."""

    def __init__(self, limits: Limits = _UNLIMITED) -> None:
        self.limits = limits
        self._spent: dict[str, tuple[int, float]] = {}  # workflow -> time, and how many were left

    def admit(self, workflow: str, count: int, queued: int, now_ms: int) -> None:
        """Count `count` creations, with `queued` instances in the queue.

        Raises WorkerError when that is too many; then nothing is counted.
        """
        if queued + count > self.limits.queued:
            raise WorkerError(
                f"(instance.too_many_queued) {queued:,} instances are queued;"
                f" at most {self.limits.queued:,} may be",
            )
        rate = self.limits.creation_rate
        if rate is None:
            return
        last_ms, left = self._spent.get(workflow, (now_ms, float(rate)))
        left = min(rate, left + (now_ms - last_ms) * rate / 1000)
        if left < count:
            raise WorkerError(
                "(rate_limit.workflow_instance_creation) too many requests:"
                f" at most {rate:,} instances of a workflow may be created per second",
            )
        self._spent[workflow] = (now_ms, left - count)
