"""Service bindings: `[[services]]`, to the worker itself or to another one of the session.

Source: docs/platform/services.md, "Configuration".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from bindings.service.service import Target
from emulator.config.model import Bound
from emulator.json_types import Json
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "service"
_EXAMPLE = 'with binding = "MATH" and service = "math" below it.'
_USER = "user"  # the service of the worker itself in workerd's configuration


class ServiceRecord(Struct, frozen=True):
    """One `[[services]]` entry. is_own: it is bound to the worker whose entry it is."""

    target: Target
    is_own: bool


def _read(section: Section) -> list[Bound[Any]]:
    bounds = []
    for item in section.items(_EXAMPLE):
        name = section.name(item, "MATH")
        service = item.string("service", required=True, example="math")
        entrypoint = item.string("entrypoint")
        environment = item.string("environment")
        props = item.table("props", 'Write props = { key = "value" }.')
        if not name or not service:
            continue
        worker = f"{service}-{environment}" if environment else service
        target = Target(worker, entrypoint or "", {} if props is None else props.data)
        bounds.append(Bound(name, NAME, ServiceRecord(target, worker == section.worker_name)))
    return bounds


def _open(record: ServiceRecord, places: Places) -> Binding:
    from bindings.service.service import Service

    return Service(record.target, places.workers)


def _in_workerd(record: ServiceRecord, service: str) -> dict[str, Value] | None:
    """Return a service of the same process, for workerd's own RPC, or what leads to the host."""
    if not record.is_own:
        return {"service": service}
    designator: dict[str, Value] = {"name": _USER}
    if record.target.entrypoint not in ("", "default"):
        designator["entrypoint"] = record.target.entrypoint
    if record.target.props:
        designator["props"] = {"json": json.dumps(record.target.props)}
    return {"service": designator}


def _told(record: ServiceRecord) -> dict[str, Json]:
    """Say that the worker calls itself: then the host is not asked."""
    if not record.is_own:
        return {}
    target = record.target
    entrypoint = "" if target.entrypoint == "default" else target.entrypoint
    return {"own": {"entrypoint": entrypoint, "props": dict(target.props)}}


def _shown(record: ServiceRecord) -> str:
    entrypoint = record.target.entrypoint
    name = f"{record.target.worker}#{entrypoint}" if entrypoint else record.target.worker
    return f"{name} (this worker)" if record.is_own else name


KIND = Kind(
    name=NAME,
    typed="Fetcher",
    section="services",
    friendly="Worker",
    keys=frozenset({"binding", "service", "entrypoint", "props", "environment", "remote"}),
    read=_read,
    open=_open,
    shown=_shown,
    told=_told,
    workerd=_in_workerd,
    http="bindings.service.http:answer",
    http_streams=True,
)
