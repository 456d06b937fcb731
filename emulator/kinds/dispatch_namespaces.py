"""Dispatch namespaces: `[[dispatch_namespaces]]`.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.config.model import Bound
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "dispatch_namespaces"
_EXAMPLE = 'with binding = "DISPATCHER" and namespace = "customers" below it.'


class Namespace(Struct, frozen=True):
    """One `[[dispatch_namespaces]]` entry."""

    name: str


def _read(section: Section) -> list[Bound[Namespace]]:
    found = []
    for item in section.items(_EXAMPLE):
        binding = section.name(item, "DISPATCHER")
        name = item.string("namespace", required=True, example="customers")
        if item.data.get("outbound"):
            text = "is not emulated; workers that are dispatched fetch without it"
            item.warn("outbound", f"{item.name('outbound')} {text}")
        if binding and name:
            found.append(Bound(binding, NAME, Namespace(name)))
    return found


def _open(record: Namespace, places: Places) -> Binding:
    from bindings.service.dispatch import Dispatcher

    return Dispatcher(places.workers)


def _in_workerd(record: Namespace, service: str) -> dict[str, Value]:
    return {"service": service}


KIND = Kind(
    name=NAME,
    typed="DispatchNamespace",
    section="dispatch_namespaces",
    friendly="Dispatch Namespace",
    keys=frozenset({"binding", "namespace", "outbound", "remote"}),
    read=_read,
    open=_open,
    shown=lambda record: f"{record.name}: the workers of this session",
    workerd=_in_workerd,
    http="bindings.service.dispatch_http:answer",
    http_streams=True,
)
