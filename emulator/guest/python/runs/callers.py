"""Who calls a step: `run()`, or one execution of a callback. PROTOCOL.md, section 8.

It is in the context of a task, so it travels into every task that user code starts.
"""

from __future__ import annotations

from contextvars import ContextVar

CALLS_MAX = 1_000_000  # of one name by one execution: more than the steps a run may have


class Caller:
    """Who calls steps: one execution of a callback, or `run()` itself, as call 0.

    Below 0: a rollback handler, which may not call steps. Each caller counts its own calls.
    after: its counts start after this number, because an earlier caller may have counted so far.
    """

    __slots__ = ("call", "attempt", "_after", "_counts")

    def __init__(self, call: int = 0, attempt: int = 0, after: int = 0) -> None:
        self.call = call
        self.attempt = attempt
        self._after = after
        self._counts: dict[tuple[str, str], int] = {}

    def count(self, kind: str, name: str) -> int:
        """Count a call, and return which one of this kind and name it is, from 1."""
        count = self._counts[kind, name] = self._counts.get((kind, name), self._after) + 1
        return count


# The callback that is running: a step called in it is its child. None: `run()` itself.
running: ContextVar[Caller | None] = ContextVar("groundfog_caller", default=None)
