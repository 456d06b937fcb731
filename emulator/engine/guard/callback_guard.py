"""The guard of one run for its callbacks: steps in callbacks that new code runs again.

A replay runs no callbacks, so the guard of `run()` cannot see what they ask for. That matters if a
step is not finished and its callback had done steps on other code. If the new code asked for one of
them under another name, it would run a second time. So a new step there waits until the callback
has asked for everything that it had done. `comparison.py` compares, `held.py` says what follows.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from emulator.engine.guard.comparison import Asked, ReplayReport, compare
from emulator.engine.model.divergence import Divergence
from emulator.engine.model.identity import is_recorded, key_for
from emulator.engine.model.instance import Instance
from emulator.engine.model.step import Step
from emulator.protocol.runs import StepBegin

PATIENCE_MS = 500  # branches of a callback have this long to ask for what is recorded


def stale_children(instance: Instance, generation: int) -> list[Step]:
    """Return the steps that were called on other code in callbacks that will run again.

    Failed steps are not among them: they are tried again with the callback.
    """
    if not instance.places:
        return []
    return [
        step
        for step in instance.steps.values()
        if step.parent in instance.open
        and step.generation != generation
        and instance.places.key_at(step.caller, step.place) == step.key
    ]


class _Callback(Struct):
    """What is known about the callback of one step. asked: each with its attempt."""

    recorded: list[Step]
    asked: list[tuple[Asked, int]] = field(default_factory=list)
    begun: list[StepBegin] = field(default_factory=list)  # they wait

    def missing(self) -> list[Step]:
        names = {(asked.kind, asked.name) for asked, _ in self.asked}
        return [
            step
            for step in self.recorded
            if (step.kind.value, step.name) not in names
            and not any(_is_next(step, asked, attempt) for asked, attempt in self.asked)
        ]


class Nesting:
    """The callbacks of one run that had called steps on other code."""

    def __init__(self, children: Iterable[Step]) -> None:
        self._callbacks: dict[str, _Callback] = {}
        for step in children:
            self._callbacks.setdefault(step.parent, _Callback([])).recorded.append(step)

    def hear_step(
        self, message: StepBegin, parent: str, attempt: int, instance: Instance
    ) -> list[StepBegin]:
        """Attempt `attempt` of the step `parent` called a step; return the calls that may begin."""
        callback = self._callbacks.get(parent)
        if callback is None:
            return [message]
        asked = Asked(message.kind, message.name, message.count, message.line, message.options)
        callback.asked.append((asked, attempt))
        if not callback.missing():
            begun, callback.begun = callback.begun, []
            return [*begun, message]
        if is_recorded(instance, key_for(instance, message.kind, message, parent)[0]):
            return [message]
        callback.begun.append(message)
        return []

    def divergence(self, parent: str, instance: Instance, now_ms: int) -> Divergence | None:
        """Return how a callback differs from what it had done; None if no step waits."""
        callback = self._callbacks.get(parent)
        if callback is None or not callback.begun:
            return None
        missing = {step.place for step in callback.missing()}
        asked = [asked for asked, _ in callback.asked]
        places = {each.place for each in asked}
        recorded = [step for step in callback.recorded if step.place in missing | places]
        found = compare(recorded, ReplayReport(asked), now_ms, parent=parent)
        return found and replace(found, within=instance.steps[parent].name)


def _is_next(step: Step, asked: Asked, attempt: int) -> bool:
    """Whether the names differ only by the attempt: `fetch-1`, and then `fetch-2`."""
    if attempt == step.parent_attempt:
        return False
    then = asked.name.replace(str(attempt), str(step.parent_attempt))
    return (asked.kind, then) == (step.kind.value, step.name)
