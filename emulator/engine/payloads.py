"""Values put together from recorded values, without decoding them. Pure.

Recorded values are bytes of tagged JSON, so a list or record of them is written around them as
text. The one exception: a `$ref` counts containers from the start of its own value, so a value
that has one is decoded and the whole is encoded anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from emulator.engine.model import Instance, Step, StepState
from emulator.protocol import values

HISTORY_CHUNK_BYTES = 1024 * 1024
_REFERENCE = b'"$ref"'


def record(fields: dict[str, bytes]) -> bytes:
    """Return the object with these already encoded fields: `{"a": b"1"}` -> `b'{"a":1}'`."""
    if any(_REFERENCE in value for value in fields.values()):
        return values.encode({name: values.decode(value) for name, value in fields.items()})
    parts = (b'"' + name.encode() + b'":' + (value or b"null") for name, value in fields.items())
    return b"{" + b",".join(parts) + b"}"


def date(at_ms: int) -> bytes:
    """Return a Date, encoded."""
    return b'{"$date":%d}' % at_ms


def text(value: str) -> bytes:
    """Return a string, encoded."""
    return json.dumps(value).encode()


def workflow_event(instance: Instance) -> bytes:
    """Return the `event` that `run(event, step)` gets. Source: workflows.md section 2.3."""
    return record(
        {
            "payload": instance.params,
            "timestamp": date(instance.created_ms),
            "instanceId": text(instance.id),
            "workflowName": text(instance.workflow),
        }
    )


def received_event(event_type: str, at_ms: int, payload: bytes) -> bytes:
    """Return what `wait_for_event` gives back. Source: workflows.md section 13.1."""
    return record({"payload": payload, "timestamp": date(at_ms), "type": text(event_type)})


def history(steps: Iterable[Step]) -> Iterator[bytes]:
    """Yield the finished steps as payloads of History messages, each about 1 MiB at the most."""
    items: list[bytes] = []
    size = 0
    for step in steps:
        item = _history_item(step)
        if item is None:
            continue
        if items and size + len(item) > HISTORY_CHUNK_BYTES:
            yield _list(items)
            items, size = [], 0
        items.append(item)
        size += len(item)
    if items:
        yield _list(items)


def _history_item(step: Step) -> bytes | None:
    if step.state is StepState.SUCCEEDED:
        outcome, value = b'"ok"', step.value or b"null"
    elif step.state is StepState.FAILED and step.error is not None:
        outcome, value = b'"error"', json.dumps(step.error.as_json()).encode()
    else:
        return None
    head = json.dumps([step.kind.value, step.name, step.count])[1:-1].encode()
    return b"[" + head + b"," + outcome + b"," + value + b"]"


def _list(items: list[bytes]) -> bytes:
    if any(_REFERENCE in item for item in items):
        return values.encode([_decoded_item(item) for item in items])
    return b"[" + b",".join(items) + b"]"


def _decoded_item(item: bytes) -> list[object]:
    """Decode an item whose last member is a value of its own, counting its own containers."""
    kind, name, count, outcome, value = json.loads(item)
    return [kind, name, count, outcome, values.decode(json.dumps(value).encode())]
