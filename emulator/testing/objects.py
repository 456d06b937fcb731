"""Durable Objects of a worker under test: which there are, what they have stored, their alarms."""

from __future__ import annotations

from typing import Any

from bindings.durable_objects.alarms import stored
from bindings.durable_objects.namespace import Address, ObjectClass
from bindings.durable_objects.user_sql import TooSlow
from emulator.errors import EmulatorError, WorkerError
from emulator.objects.objects import EVICTED, Objects
from emulator.testing.operations import Args, asked
from emulator.testing.refusals import HandlerRefused, NoSuch, Refused
from emulator.testing.subject import Subject


@asked("objects.class")
async def class_of(subject: Subject, args: Args) -> dict[str, str]:
    """Return `{"name", "key"}` of a class, by its name or that of a binding."""
    of = _class(subject, args["of"])
    return {"name": of.name, "key": of.unique_key}


@asked("objects.ids")
async def ids(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return `{"id", "name"}` of the objects of a class that have stored something."""
    of = _class(subject, args["of"])
    folder = subject.worker.state.objects(of.unique_key)
    found = [(path.stem, stored(path)) for path in sorted(folder.glob("*.sqlite"))]
    return [{"id": id, "name": about.name if about else None} for id, about in found]


@asked("object.exec")
async def execute(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Execute SQL in the storage of an object; return the rows."""
    try:
        resident = await _objects(subject).resident(_address(subject, args))
        columns, rows, _, _, changed = resident.storage.call("exec", [args["sql"], args["params"]])
        if changed:
            resident.storage.call("commit", [[]])
    except TooSlow:
        raise Refused("The SQL takes too long, or waits for a transaction of the object.") from None
    except WorkerError as error:
        raise Refused(f"The SQL is refused: {error.message}") from None
    return [dict(zip(columns, row, strict=True)) for row in rows]


@asked("object.values")
async def values_of(subject: Subject, args: Args) -> dict[str, bytes]:
    """Return what an object has stored by keys, each value in tagged JSON."""
    resident = await _objects(subject).resident(_address(subject, args))
    try:
        pairs = resident.storage.call("list", ["", None, False, None])
    except WorkerError as error:
        raise Refused(error.message) from None
    return {key: value.encode() if isinstance(value, str) else value for key, value in pairs}


@asked("object.alarm")
async def alarm(subject: Subject, args: Args) -> int | None:
    """Return when the alarm of an object is due, in epoch milliseconds; None: it has none."""
    resident = await _objects(subject).resident(_address(subject, args))
    found = resident.storage.alarm()
    return None if found is None else found.due_ms


@asked("object.run_alarm")
async def run_alarm(subject: Subject, args: Args) -> bool:
    """Let the alarm of an object ring now; return False if it has none."""
    objects, address = _objects(subject), _address(subject, args)
    found = (await objects.resident(address)).storage.alarm()
    if found is None:
        return False
    try:
        rung = await objects.ring(address, lambda: found.due_ms, lambda failures: None)
    except EmulatorError as error:
        raise Refused(str(error)) from None
    if rung is not None and rung.error:
        text = rung.error.rstrip()
        last = text.rsplit("\n", 1)[-1]
        raise HandlerRefused(f"alarm: {last}\n{text}", name="Error", message=last, traceback=text)
    return rung is not None


@asked("object.evict")
async def evict(subject: Subject, args: Args) -> bool:
    """Forget an object, as after a while without events; return False if it is not in memory."""
    objects, address = _objects(subject), _address(subject, args)
    resident = objects.in_memory(address)
    if resident is None:
        return False
    if resident.is_busy:
        raise Refused("An event of this Durable Object is going on, so it cannot be evicted.")
    await resident.durable()
    objects.close_resident(resident, EVICTED)
    return True


def _objects(subject: Subject) -> Objects:
    if not subject.config.is_python:
        raise Refused("Durable Objects of Python workers only can be looked into from a test.")
    return subject.worker.objects


def _address(subject: Subject, args: Args) -> Address:
    return Address(_class(subject, args["of"]), args["id"], args["name"])


def _class(subject: Subject, named: str) -> ObjectClass:
    _objects(subject)
    bound = subject.config.bound(ObjectClass)
    for each in bound:
        if named in (each.name, each.record.name):
            return each.record
    names = ", ".join(sorted({each.record.name for each in bound})) or "none"
    raise NoSuch(f"There is no class or binding {named} of Durable Objects. There are: {names}.")
