"""The key of a step in its instance: its kind, count and name, and the recorded text. Pure.

Entries, dictionaries and messages use the text, `"do:1:charge"`: one string is one step. Only this
module makes the text and splits it.
"""

from __future__ import annotations

import functools
from enum import StrEnum

_KNOWN_KEYS = 1024  # all instances of a workflow have the same few texts


class StepKind(StrEnum):
    """Kinds of steps; `sleep_until` is a `sleep`.

    `rollback` is ours: the handler of the `do` with the same name and count, executed like a step.
    Source: docs/platform/workflows.md, "The binding".
    """

    DO = "do"
    SLEEP = "sleep"
    WAIT = "waitForEvent"
    ROLLBACK = "rollback"


CALLED: dict[str, StepKind] = {  # what `run()` calls, by its text
    kind.value: kind for kind in (StepKind.DO, StepKind.SLEEP, StepKind.WAIT)
}

_HANDLER = f"{StepKind.ROLLBACK}:"


class StepKey:
    """The parts of the key of a step; no other step of its instance has the same key.

    `step_key` makes its text, `StepKey.of` splits it.
    count: its number among the steps of this kind and name in its instance, from 1. The place
    (`places.py`) says which call it answers.
    Differs: in the official local engine, the key of a sleep also has its duration.
    """

    __slots__ = ("kind", "count", "name")

    def __init__(self, kind: StepKind, count: int, name: str) -> None:
        self.kind = kind
        self.count = count
        self.name = name

    @staticmethod
    @functools.lru_cache(maxsize=_KNOWN_KEYS)
    def of(text: str) -> StepKey:
        """Return the parts of `"do:1:charge"`. Raises ValueError for any other text."""
        kind, count, name = text.split(":", 2)
        return StepKey(StepKind(kind), int(count), name)

    @property
    def label(self) -> str:
        """The display name of logs and REST: `"charge-1"`."""
        return f"{self.name}-{self.count}"


def step_key(kind: str, name: str, count: int | str) -> str:
    """Return the text of a key from its parts; `kind` as in `StepKind`."""
    return f"{kind}:{count}:{name}"


def is_step_key(text: str) -> bool:
    """Whether `text` has the form of a key."""
    try:
        return text.split(":", 2)[1].isdecimal() and StepKey.of(text).count >= 0
    except (ValueError, IndexError):
        return False


def is_handler(text: str) -> bool:
    """Whether this is the key of a rollback handler."""
    return text.startswith(_HANDLER)
