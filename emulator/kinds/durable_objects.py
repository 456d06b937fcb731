"""Durable Objects: `[[durable_objects.bindings]]`.

Objects of a Python worker run in its guest, and the host has their storage. For a TypeScript or
JavaScript worker, workerd does both; only calls of other workers pass the host.
Source: https://developers.cloudflare.com/workers/wrangler/configuration/ (durable objects).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from bindings.durable_objects.namespace import IDLE_MS, ObjectClass
from emulator.config.durations_key import read_duration_ms
from emulator.config.model import Bound
from emulator.config.table import Table
from emulator.json_types import Json
from emulator.kinds.kind import Kind, Section
from emulator.kinds.object_classes import Classes
from emulator.state import OBJECTS

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "durable_object"
FRIENDLY = "Durable Object"
_SETTING_KEYS = ("idle",)
_SHORTEST_IDLE_MS = 40  # the longest query that leaves the event loop begins again after 20
_EXAMPLE = 'with name = "COUNTER" and class_name = "Counter" below it.'


class ForeignClass(Struct, frozen=True):
    """A class of another worker, which `script_name` names."""

    worker: str
    name: str


def _read(section: Section) -> list[Bound[Any]]:
    """Return the bindings, and without a name classes of a Python worker that have no binding."""
    classes = Classes(section)
    bounds: list[Bound[Any]] = []
    for item in section.items(_EXAMPLE):
        name = section.name(item, "COUNTER")
        class_name = item.string("class_name", required=True, example="Counter")
        script = item.string("script_name")
        environment = item.string("environment")
        if not name or not class_name:
            continue
        worker = f"{script}-{environment}" if script and environment else script
        if worker not in (None, section.worker_name):
            bounds.append(Bound(name, NAME, ForeignClass(str(worker), class_name)))
        else:
            bounds.append(Bound(name, NAME, classes.named(class_name)))
    bound = {each.record.name for each in bounds if isinstance(each.record, ObjectClass)}
    if str(section.selected.owner("main").data.get("main", "")).endswith(".py"):
        bounds += [Bound("", NAME, each) for each in classes if each.name not in bound]
    return bounds


def _read_settings(objects: Table, process_env: Mapping[str, str]) -> int:
    """Return how long an object may be idle, in milliseconds."""
    objects.unknown_keys(_SETTING_KEYS, objects.report.error)
    idle_ms = read_duration_ms(objects, "idle", IDLE_MS)
    return max(idle_ms, _SHORTEST_IDLE_MS)


def _open(record: ObjectClass | ForeignClass, places: Places) -> Binding:
    from bindings.durable_objects.namespace import Namespace, NamespaceElsewhere

    if isinstance(record, ForeignClass):
        find = partial(places.workers.objects, record.worker, record.name)
        return NamespaceElsewhere(record.worker, record.name, find)
    return Namespace(record, places.objects)


def _in_workerd(record: ObjectClass | ForeignClass, service: str) -> dict[str, Value] | None:
    """Return a namespace of the same process, or what leads to the host."""
    if isinstance(record, ForeignClass):
        return {"service": service}
    return {"durableObjectNamespace": {"className": record.name}}


def _told(record: ObjectClass | ForeignClass) -> dict[str, Json]:
    """Say what the ids of the namespace are made with."""
    if isinstance(record, ForeignClass):
        return {"key": f"{record.worker}-{record.name}"}
    return {"key": record.unique_key}


def _shown(record: ObjectClass | ForeignClass) -> str:
    return f"{record.name} of {record.worker}" if isinstance(record, ForeignClass) else record.name


KIND = Kind(
    name=NAME,
    typed="DurableObjectNamespace",
    section="durable_objects",
    inner="bindings",
    friendly=FRIENDLY,
    keys=frozenset({"name", "class_name", "script_name", "environment"}),
    name_key="name",
    read=_read,
    open=_open,
    shown=_shown,
    settings="durable_objects",
    setting_keys=tuple(f"durable_objects.{key}" for key in _SETTING_KEYS),
    read_settings=_read_settings,
    told=_told,
    trigger="emulator.triggers.alarms:trigger",
    files=(OBJECTS,),
    commands="emulator.cli.durable_objects:durable_objects",
    command="do",
    workerd=_in_workerd,
    http="bindings.service.http:answer",
    http_streams=True,
)
