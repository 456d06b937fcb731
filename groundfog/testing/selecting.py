"""How a test names a step: `"charge"`, `("charge", 2)` or `{"name": "charge", "index": 2}`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, TypedDict


class _Timeout(Enum):
    TIMEOUT = "TIMEOUT"

    def __repr__(self) -> str:
        return "TIMEOUT"


TIMEOUT: Final = _Timeout.TIMEOUT  # what `on_wait` returns to let the wait time out
Timeout = _Timeout


class Selected(TypedDict):
    """A step by its name, and by its number among the steps of that name: from 1."""

    name: str
    index: int


Selector = str | tuple[str, int] | Selected


def selected(step: Selector) -> dict[str, Any]:
    """Return `{"step", "index"}`; index 0 is each step of that name. Raises TypeError."""
    match step:
        case str() if step:
            return {"step": step, "index": 0}
        case (str() as name, int() as index) if index >= 1:
            return {"step": name, "index": index}
        case Mapping() if isinstance(step.get("name"), str):
            return {"step": step["name"], "index": int(step.get("index", 0))}
    raise TypeError(
        f'a step is named by "charge", ("charge", 2) or {{"name": "charge", "index": 2}},'
        f" not {step!r}"
    )
