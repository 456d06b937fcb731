"""The object form of `createBatch`, checked, and the options of each instance in it. Pure.

The executor checks ids and sizes. Source: docs/platform/workflows.md, "Batches".
"""

from __future__ import annotations

from typing import Any

from bindings.binding import Value
from emulator.durations import read_retention
from emulator.errors import WorkerError

BATCH_MAX = 100  # instances. Source: docs/platform/workflows.md, "Limits".
RETENTIONS = ("successRetention", "errorRetention")
# Source: https://github.com/cloudflare/workerd/blob/main/types/defines/workflows.d.ts
# (WorkflowInstanceCreateOptions).
LOCATION_HINTS = tuple("wnam enam sam weur eeur apac apac-ne apac-se oc afr me".split())
_BAD_DURATION = (
    "Duration must be a number or a string in format '{{number}} {{unit}}'"
    " where unit is second(s), minute(s), etc."
)


def creations(given: Any) -> list[dict[str, Value]]:
    """Return the options of every instance to create.

    `{"count": 2, "params": 1}` -> `[{"params": 1}, {"params": 1}]`; `{"instances": [{"id": "a"}]}`
    -> `[{"id": "a"}]`. Raises WorkerError when anything in it is wrong.
    """
    if not isinstance(given, dict) or ("count" in given) == ("instances" in given):
        raise _refused("Provided argument is invalid")
    if "count" in given:
        options = {name: given[name] for name in given if name != "count"}
        if "id" in options:
            raise _refused("id cannot be given with count; ids are made for you")
        items = [options] * _count(given["count"])
        _check(items[:1], "")
        return items
    items = given["instances"]
    if not isinstance(items, list):
        raise _refused("Provided argument is invalid")
    if not 0 < len(items) <= BATCH_MAX:
        raise _refused("Batch size exceeds maximum allowed")
    _check(items, "instances[{}]")
    if any("id" in item and not isinstance(item["id"], str) for item in items):
        raise WorkerError("(instance.invalid_id) Instance ID is invalid")
    return items


def retention_of(options: dict[str, Value]) -> dict[str, int]:
    """Return how long an instance is kept after its end, in milliseconds.

    `{"retention": {"successRetention": "2 days"}}` -> `{"success": 172800000}`.
    Raises WorkerError when it is not a retention.
    """
    retention = options.get("retention")
    if problems := _retention_problems(retention, "retention"):
        raise _refused("; ".join(problems))
    return read_retention(retention or {}, "Retention", lambda name, error: None)


def _count(count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int | float) or count <= 0 or count % 1:
        raise _refused("count must be a positive integer")
    if count > BATCH_MAX:
        raise _refused(f"batchCreate only supports {BATCH_MAX} instances at a time")
    return int(count)


def _check(items: list[Any], where: str) -> None:
    """Refuse the whole batch, with a list of all errors in it."""
    problems = [
        problem
        for index, item in enumerate(items)
        for problem in _problems(item, where.format(index))
    ]
    if problems:
        raise _refused("; ".join(problems))


def _problems(item: Any, where: str) -> list[str]:
    if not isinstance(item, dict):
        return [f"{where}: Expected object, received {_kind(item)}"]
    prefix = f"{where}." if where else ""
    return [
        *_retention_problems(item.get("retention"), f"{prefix}retention"),
        *_location_problems(item.get("locationHint"), f"{prefix}locationHint"),
    ]


def _retention_problems(retention: Any, where: str) -> list[str]:
    if retention is None:
        return []
    if not isinstance(retention, dict):
        return [f"{where}: Expected object, received {_kind(retention)}"]
    problems = [
        f"{where}: Unrecognized key {name!r}; expected {' or '.join(RETENTIONS)}"
        for name in retention
        if name not in RETENTIONS
    ]
    read_retention(retention, "Retention", lambda name, error: problems.append(_BAD_DURATION))
    return problems


def _location_problems(hint: Any, where: str) -> list[str]:
    if hint is None or (isinstance(hint, str) and hint in LOCATION_HINTS):
        return []
    shown = f"'{hint}'" if isinstance(hint, str) else _kind(hint)
    return [f"{where}: Expected one of {', '.join(LOCATION_HINTS)}; received {shown}"]


def _kind(value: Any) -> str:
    """Return JavaScript's name for the type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _refused(problem: str) -> WorkerError:
    return WorkerError(f"(body) {problem}")
