"""Durable Objects: `[[durable_objects.bindings]]`.

Objects of a Python worker run in its guest, and the host has their storage. For a TypeScript or
JavaScript worker, workerd does both; nothing of them passes the host.
Source: https://developers.cloudflare.com/workers/wrangler/configuration/ (durable objects).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bindings.durable_objects.namespace import IDLE_MS, ObjectClass
from emulator.config.durations_key import read_duration_ms
from emulator.config.model import Bound, Unsupported
from emulator.config.table import Table
from emulator.json_types import Json
from emulator.kinds.kind import Kind, Section
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


def _read(section: Section) -> list[Bound[Any]]:
    without_sql = set(_classes(section, "new_classes"))
    bounds: list[Bound[Any]] = []
    for item in section.items(_EXAMPLE):
        name = section.name(item, "COUNTER")
        class_name = item.string("class_name", required=True, example="Counter")
        script = item.string("script_name")
        item.string("environment")
        if not name or not class_name:
            continue
        if script not in (None, section.worker_name):
            bounds.append(Bound(name, section.kind.section, Unsupported(FRIENDLY)))
            continue
        key = f"{section.worker_name}-{class_name}"
        record = ObjectClass(class_name, key, class_name not in without_sql, section.settings)
        bounds.append(Bound(name, NAME, record))
    return bounds


def _read_settings(objects: Table, process_env: Mapping[str, str]) -> int:
    """Return how long an object may be idle, in milliseconds."""
    objects.unknown_keys(_SETTING_KEYS, objects.report.error)
    idle_ms = read_duration_ms(objects, "idle", IDLE_MS)
    return max(idle_ms, _SHORTEST_IDLE_MS)


def _classes(section: Section, key: str) -> Iterator[str]:
    """Yield the classes that the migrations list under a key; they are checked at deployment."""
    migrations = section.selected.owner("migrations").data.get("migrations")
    for migration in migrations if isinstance(migrations, list) else ():
        names = migration.get(key) if isinstance(migration, dict) else None
        if isinstance(names, list):
            yield from (name for name in names if isinstance(name, str))


def _open(record: ObjectClass, places: Places) -> Binding:
    from bindings.durable_objects.namespace import Namespace

    return Namespace(record, places.objects)


def _in_workerd(record: ObjectClass, service: str) -> dict[str, Value]:
    return {"durableObjectNamespace": {"className": record.name}}


def _told(record: ObjectClass) -> dict[str, Json]:
    """Say what the ids of the namespace are made with."""
    return {"key": record.unique_key}


def _shown(record: ObjectClass) -> str:
    return record.name


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
    workerd=_in_workerd,
)
