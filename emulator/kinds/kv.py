"""KV: `[[kv_namespaces]]`, `[kv]` of groundfog.toml, and the namespace of each.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.config.durations_key import read_duration_ms
from emulator.config.model import Bound
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section
from emulator.state import State

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places

NAME = "kv"
_EXAMPLE = 'with binding = "CACHE" below it.'
_SETTING_KEYS = ("propagation",)


class Namespace(Struct, frozen=True):
    """One `[[kv_namespaces]]` entry. `id` names the file: preview id, id, or the binding.

    lag_ms: how long a read may be answered with what was read before.
    """

    id: str
    lag_ms: int = 0

    def path(self, state: State) -> Path:
        """Return its SQLite file; it may not exist yet."""
        return state.database(NAME, self.id)


def _read(section: Section) -> list[Bound[Namespace]]:
    namespaces = []
    for item in section.items(_EXAMPLE):
        binding = section.name(item, "CACHE")
        given = item.string("id")
        namespace_id = item.string("preview_id") or given or binding
        if binding and namespace_id:
            namespaces.append(Bound(binding, NAME, Namespace(namespace_id, section.settings)))
    return namespaces


def _read_settings(kv: Table, process_env: Mapping[str, str]) -> int:
    """Return the lag of reads, in milliseconds."""
    kv.unknown_keys(_SETTING_KEYS, kv.report.error)
    return read_duration_ms(kv, "propagation", 0)


def _open(namespace: Namespace, places: Places) -> Binding:
    from bindings.kv.kv import Kv

    path = namespace.path(places.state)
    now_ms, lag_ms = places.clock.now_ms, namespace.lag_ms
    return Kv(path, now_ms, synchronous=places.synchronous, lag_ms=lag_ms)


def _identity(namespace: Namespace, places: Places) -> Hashable:
    return namespace, places.synchronous


KIND = Kind(
    name=NAME,
    typed="KVNamespace",
    section="kv_namespaces",
    friendly="KV Namespace",
    keys=frozenset({"binding", "id", "preview_id", "remote"}),
    read=_read,
    open=_open,
    shown=lambda namespace: namespace.id,
    identity=_identity,
    settings=NAME,
    setting_keys=tuple(f"kv.{key}" for key in _SETTING_KEYS),
    read_settings=_read_settings,
    files=("kv",),
    commands="emulator.cli.kv.group:kv",
    routes="emulator.server.api.kv:routes",
    workerd=lambda namespace, service: {"kvNamespace": service},
    http="bindings.kv.http:answer",
    line=1,
)
