"""Durable Objects: `[[durable_objects.bindings]]` of TypeScript and JavaScript workers.

workerd runs the objects and keeps their storage; nothing of them passes the host. For a Python
worker a binding is there and its use raises an error.
Source: https://developers.cloudflare.com/workers/wrangler/configuration/ (durable objects).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from emulator.config.model import Bound, Unsupported
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "durable_object"
FRIENDLY = "Durable Object"
FOLDER = "do"
_EXAMPLE = 'with name = "COUNTER" and class_name = "Counter" below it.'


@dataclass(frozen=True, slots=True)
class DurableObject:
    """A class of the worker's own, and what identifies its storage: `"my-worker-Counter"`.

    has_sql: it was made with SQLite storage, as `migrations` say.
    """

    class_name: str
    unique_key: str
    has_sql: bool = True


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
        if _is_python(section) or script not in (None, section.worker_name):
            bounds.append(Bound(name, section.kind.section, Unsupported(FRIENDLY)))
            continue
        key = f"{section.worker_name}-{class_name}"
        record = DurableObject(class_name, key, class_name not in without_sql)
        bounds.append(Bound(name, NAME, record))
    return bounds


def _classes(section: Section, key: str) -> Iterator[str]:
    """Yield the classes that the migrations list under a key; they are checked at deployment."""
    migrations = section.selected.owner("migrations").data.get("migrations")
    for migration in migrations if isinstance(migrations, list) else ():
        names = migration.get(key) if isinstance(migration, dict) else None
        if isinstance(names, list):
            yield from (name for name in names if isinstance(name, str))


def _is_python(section: Section) -> bool:
    main: Table = section.selected.owner("main")
    return str(main.data.get("main", "")).endswith(".py")


def _open(record: DurableObject, places: Places) -> NoReturn:
    raise AssertionError("workerd runs Durable Objects itself")


def _in_workerd(record: DurableObject, service: str) -> dict[str, Value]:
    return {"durableObjectNamespace": {"className": record.class_name}}


def _shown(record: DurableObject) -> str:
    return record.class_name


KIND = Kind(
    name=NAME,
    section="durable_objects",
    inner="bindings",
    friendly=FRIENDLY,
    keys=frozenset({"name", "class_name", "script_name", "environment"}),
    name_key="name",
    read=_read,
    open=_open,
    shown=_shown,
    files=(FOLDER,),
    workerd=_in_workerd,
)
