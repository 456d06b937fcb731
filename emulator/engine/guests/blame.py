"""Finds the instance that takes guests down. No I/O.

A guest runs many instances and requests at once, and one of them may take it down. An instance that
was alone in it is to blame: only then are attempts charged. If there were several, nobody is
charged; their attempts are interrupted and run again. Instances that were in two lost guests in a
row are suspects: each begins in a guest apart, so that the next loss shows which one it was and
harms nobody else.

When something outside kills a guest (a person, the system when memory runs out), that is an
interruption. It counts only if it happens several times in a row to an instance that is alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct, field

SUSPECTED_AFTER = 2  # losses in a row
KILLS_MAX = 3  # kills in a row that count as interruptions; then it probably needs too much memory
LOSSES_MAX = 5  # in a row, while one instance's code was running outside steps
_SHOWN = 3  # names
TRIAL_MS = 2_000  # how long a suspect has the guest apart for itself, the first time


class Cause(StrEnum):
    """How a guest ended."""

    ITSELF = "itself"  # user code ended it: an exit, a segmentation fault
    KILLED = "killed"  # something outside ended it
    ENDED = "ended"  # the host ended it because of its code: a hang, a breach of the protocol
    HOST = "host"  # the host or its forkserver ended it, but not because of its code
    REQUEST = "request"  # the host ended it because a request hung


class Loss(Struct, frozen=True):
    """A guest that went away.

    reason: `"exited with status 3"`. run: the number of the run that caused it, if known.
    others: whether anything else may have caused it, such as a request in progress.
    """

    reason: str
    cause: Cause = Cause.ITSELF
    run: int = 0
    others: bool = False


class Present(Struct, frozen=True):
    """An instance that had a run in the guest. active: its code ran, as far as we know."""

    key: int
    run: int
    active: bool


class _Losses(Struct):
    """The losses of an instance since it last made progress, by number; some were kills."""

    losses: set[int] = field(default_factory=set)
    kills: set[int] = field(default_factory=set)


class Blame:
    """Remembers, for each instance, the guests in a row that it may have taken down."""

    def __init__(self) -> None:
        self._records: dict[int, _Losses] = {}
        self._number = 0  # of the last loss

    def lost(self, loss: Loss, present: Sequence[Present]) -> tuple[set[int], set[int]]:
        """Note a loss. Return the key of the instance to blame, if any, and of new suspects.

        present: the instances whose code may have run in the guest. An instance whose losses are
        all losses of the one to blame is no longer a suspect.
        """
        if loss.cause in (Cause.HOST, Cause.REQUEST):
            return set(), set()
        candidates = _candidates(loss, present)
        self._number += 1
        for each in candidates:
            record = self._records.setdefault(each.key, _Losses())
            record.losses.add(self._number)
            if loss.cause is Cause.KILLED:
                record.kills.add(self._number)
        keys = [each.key for each in candidates]
        suspects = {key for key in keys if self.losses(key) == SUSPECTED_AFTER}
        if len(candidates) != 1 or (loss.others and candidates[0].run != loss.run):
            return set(), suspects
        if loss.cause is Cause.KILLED and len(self._records[keys[0]].kills) <= KILLS_MAX:
            return set(), suspects
        self._acquit_others(keys[0])
        return set(keys), suspects

    def _acquit_others(self, culprit: int) -> None:
        explained = self._records[culprit].losses
        for key, record in list(self._records.items()):
            if key != culprit:
                record.losses -= explained
                record.kills -= explained
                if not record.losses:
                    del self._records[key]

    def keys(self) -> set[int]:
        """Return the instances that were there at losses."""
        return {*self._records}

    def is_suspect(self, key: int) -> bool:
        """Whether an instance must begin in a guest apart."""
        return self.losses(key) >= SUSPECTED_AFTER

    def is_hopeless(self, key: int) -> bool:
        """Whether an instance that is to blame is not tried again."""
        return self.losses(key) >= LOSSES_MAX

    def losses(self, key: int) -> int:
        """Return how many guests in a row were lost while an instance ran."""
        return len(self._records[key].losses) if key in self._records else 0

    def trial_ms(self, key: int) -> int:
        """Return how long a suspect has the guest apart for itself: longer each time."""
        return int(TRIAL_MS * 2 ** min(self.losses(key) - SUSPECTED_AFTER, 5))

    def clear(self, key: int) -> None:
        """Forget an instance: it made progress, or was deleted."""
        self._records.pop(key, None)

    def forget_all(self) -> None:
        """Forget all: other code runs now."""
        self._records.clear()


def suspicion(names: Sequence[str]) -> str:
    """Return the message about new suspects, such as `"orders a"`."""
    if len(names) == 1:
        return (
            f"{names[0]}: was running each time the worker went away; it begins in a worker apart"
            " now, where it cuts off nothing else"
        )
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return (
        f"{len(names)} instances were running each time the worker went away ({shown}); they begin"
        " one by one in a worker apart now, to see which of them is why"
    )


def _candidates(loss: Loss, present: Sequence[Present]) -> list[Present]:
    """Return the possible causes: active instances, or all if none was active."""
    known = [each for each in present if loss.run and each.run == loss.run]
    if known:
        return known
    active = [each for each in present if each.active]
    return active or ([] if loss.others else list(present))
