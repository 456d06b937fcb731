"""The past of a run: its event, and the finished steps that `run()` called."""

from __future__ import annotations

import json
from typing import Any

from ....protocol.runs import RunStart
from ....protocol.values import MalformedValue
from .. import conversion


class Past:
    """The part of a run's history that was not asked for yet. `damage`: what is wrong with it."""

    def __init__(self) -> None:
        self.damage = ""
        self._steps: dict[tuple[str, str, int], tuple[bool, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._steps)

    def remember(self, payload: bytes) -> None:
        """Add finished steps, before the run starts."""
        try:
            for kind, name, count, outcome, value in conversion.decode(payload):
                self._steps[kind, name, count] = (outcome == "ok", value)
        except (ValueError, TypeError) as error:  # reported when the run would start
            self.damage = _damage_of(payload, error)

    def pop(self, kind: str, name: str, count: int) -> tuple[bool, Any] | None:
        """Return whether a step succeeded, and its value or error; None if it is not known."""
        return self._steps.pop((kind, name, count), None)

    def event(self, message: RunStart) -> Any:
        """Return the event that `run()` gets; with `damage` it is None."""
        try:
            event = conversion.decode(message.payload)
        except MalformedValue as error:
            self.damage = f"The event of this instance is damaged: {error}"
        if self.damage:
            return None
        event.setdefault("instanceId", message.instance)
        event.setdefault("workflowName", message.workflow)
        return event


def _damage_of(history: bytes, error: Exception) -> str:
    """Return what is wrong with a history, with the step whose value it is, if it can be found."""
    try:
        place = error.path[0] if isinstance(error, MalformedValue) else None
        _, name, count, *_ = json.loads(history)[place]
        return f"The recorded value of step {name}-{count} is damaged: {error}"
    except (ValueError, LookupError, TypeError, RecursionError):
        return f"A recorded value of this instance is damaged: {error}"
