"""Which step a call asks for: a recorded one, or a new one. Pure.

The place of a call identifies it (`places.py`). The key of a new step keeps labels such as
`"charge-1"` unique: its count goes over all steps of its kind and name in the instance, for all
callers. If no callback calls steps, the count equals the number in the place.
"""

from __future__ import annotations

from collections.abc import Collection

from emulator.engine.model.instance import Instance
from emulator.engine.model.places import SHARED, Place
from emulator.engine.model.step_key import step_key
from emulator.protocol.runs import StepBegin


def key_for(instance: Instance, kind: str, begun: StepBegin, parent: str) -> tuple[str, str]:
    """Return the key of the step that a message asks for, and the caller that counts it.

    parent: key of the step in whose callback the call was made; empty for `run()`.
    """
    name, place = begun.name, (kind, begun.name, begun.count)
    key = key_of(instance, parent, place)
    if not begun.shared or is_recorded(instance, key):
        return key, parent
    place = kind, name, begun.shared
    for caller in (SHARED, ""):
        known = key_of(instance, caller, place)
        if is_recorded(instance, known):
            return known, caller
    return (key_of(instance, SHARED, place), SHARED) if parent else (key, "")


def key_of(instance: Instance, caller: str, place: Place, *, not_in: Collection[str] = ()) -> str:
    """Return the key of the step at a place; `caller` is empty for `run()`.

    not_in: keys that a new step cannot have.
    """
    known = instance.places.key_at(caller, place)
    if known is not None:
        return known
    kind, name, nth = place
    if not caller:
        plain = step_key(kind, name, nth)
        step = instance.steps.get(plain) or instance.aside.get(plain)
        if step is not None and not step.parent and step.place == place:
            return plain
        if step is None and plain not in not_in:
            return plain
    count = instance.places.highest(kind, name) + 1
    while is_recorded(instance, key := step_key(kind, name, count)) or key in not_in:
        count += 1
    return key


def is_recorded(instance: Instance, key: str) -> bool:
    """Whether a step has this key, set aside or not."""
    return key in instance.steps or key in instance.aside
