"""What is different in two instances: steps by name and count, values as trees. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from emulator.answers.workflows import Difference, InstanceDetail, StepDetail
from emulator.json_types import Json

ABSENT = "absent"
_MEMBERS = ("success", "finished", "error", "output", "event_type")


def differences(one: InstanceDetail, other: InstanceDetail) -> list[Difference]:
    """Return what differs, in the order of `one`: status, params, steps, output, error."""
    found = [*_differing("status", one["status"], other["status"])]
    found += _differing("params", one["params"], other["params"])
    steps, others = _by_name(one), _by_name(other)
    for name in dict.fromkeys([*steps, *others]):
        found += _of_step(name, steps.get(name), others.get(name))
    found += _differing("output", one["output"], other["output"])
    found += _differing("error", _told(one["error"]), _told(other["error"]))
    return found


def _by_name(detail: InstanceDetail) -> dict[str, StepDetail]:
    return {f'{step["type"]} "{step.get("name", "")}"': step for step in detail["steps"]}


def _of_step(name: str, one: StepDetail | None, other: StepDetail | None) -> Iterator[Difference]:
    if one is None or other is None:
        there: Json = "there"
        yield Difference(
            where=name,
            one=ABSENT if one is None else there,
            other=ABSENT if other is None else there,
        )
        return
    for member in _MEMBERS:
        yield from _differing(f"{name} {member}", one.get(member), other.get(member))
    attempts = len(one.get("attempts", ())), len(other.get("attempts", ()))
    yield from _differing(f"{name} attempts", *attempts)


def _differing(where: str, one: object, other: object) -> Iterator[Difference]:
    """Yield the places at which two values differ, as deep inside them as possible."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys([*one, *other]):
            yield from _differing(f"{where}.{key}", one.get(key, ABSENT), other.get(key, ABSENT))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differing(f"{where}[{number}]", mine, theirs)
    elif one != other:
        yield Difference(where=where, one=one, other=other)  # type: ignore[typeddict-item]


def _told(error: object) -> Json:
    return dict(error) if isinstance(error, Mapping) else None
