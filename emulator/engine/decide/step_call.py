"""A step as user code calls it."""

from __future__ import annotations

from msgspec import Struct

from emulator.engine.model.identity import key_for
from emulator.engine.model.instance import Instance
from emulator.engine.model.places import SHARED
from emulator.engine.model.step_entries import Origin
from emulator.engine.model.step_key import StepKey, StepKind, step_key
from emulator.json_types import Json
from emulator.protocol.runs import StepBegin


class StepCall(Struct):
    """A step as user code called it. `line` is `"src/entry.py:31"` or empty.

    `key`, made of kind, name and count, is the step's in its instance (`identity.py`).
    parent: key of the step whose callback called it; empty when `run()` did.
    nth: which call of this kind and name by its caller it is; 0 where the count says so.
    shared: it is a dependency, counted for all callers together.
    """

    kind: StepKind
    name: str
    count: int
    options: dict[str, Json]
    line: str = ""
    parent: str = ""
    nth: int = 0
    shared: bool = False
    key: str = ""  # from the others

    @classmethod
    def of(cls, begun: StepBegin, kind: StepKind, parent: str, instance: Instance) -> StepCall:
        """Return the call that a message tells of; `parent`: key of the step, empty for `run()`."""
        name, options = begun.name, begun.options
        if not parent and not instance.places:
            return cls(kind, name, begun.count, options, begun.line)
        key, caller = key_for(instance, kind.value, begun, parent)
        count = StepKey.of(key).count
        if caller == SHARED:
            return cls(kind, name, count, options, begun.line, parent, begun.shared, True)
        return cls(kind, name, count, options, begun.line, parent, begun.count)

    @property
    def origin(self) -> Origin:
        """Where it was called from, as it is recorded."""
        return Origin(self.line, self.parent, self.nth, self.shared)

    def __post_init__(self) -> None:
        self.key = step_key(self.kind, self.name, self.count)
