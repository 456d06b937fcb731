"""Worker Loader: `[[worker_loaders]]`.

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

NAME = "worker_loaders"
_EXAMPLE = 'with binding = "LOADER" below it.'


class LoaderRecord(Struct, frozen=True):
    """One `[[worker_loaders]]` entry."""

    binding: str


def _read(section: Section) -> list[Bound[LoaderRecord]]:
    names = [section.name(item, "LOADER") for item in section.items(_EXAMPLE)]
    return [Bound(name, NAME, LoaderRecord(name)) for name in names if name]


def _open(record: LoaderRecord, places: Places) -> Binding:
    from bindings.loader.loader import WorkerLoader

    return WorkerLoader(record.binding, places.isolates)


def _in_workerd(record: LoaderRecord, service: str) -> dict[str, Value]:
    return {"workerLoader": {"id": record.binding}}


KIND = Kind(
    name=NAME,
    typed="WorkerLoader",
    section="worker_loaders",
    friendly="Worker Loader",
    keys=frozenset({"binding"}),
    read=_read,
    open=_open,
    shown=lambda record: "loads code when it runs",
    workerd=_in_workerd,
)
