"""Analytics Engine: `[[analytics_engine_datasets]]`.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.config.model import Bound
from emulator.kinds.kind import Kind, Section
from emulator.state import State

if TYPE_CHECKING:
    from bindings.analytics.analytics import Datasets
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "analytics_engine"
FOLDER = "analytics-engine"
_EXAMPLE = 'with binding = "METRICS" below it.'


class DatasetRecord(Struct, frozen=True):
    """One `[[analytics_engine_datasets]]` entry; `name`: the dataset, or else the binding."""

    name: str


def path(state: State) -> Path:
    """Return the file of all datasets."""
    return state.database(FOLDER, "points")


def _read(section: Section) -> list[Bound[DatasetRecord]]:
    found = []
    for item in section.items(_EXAMPLE):
        binding = section.name(item, "METRICS")
        name = item.string("dataset") or binding
        if binding and name:
            found.append(Bound(binding, NAME, DatasetRecord(name)))
    return found


def datasets(places: Places) -> Datasets:
    """Return the project's data points."""
    from bindings.analytics.analytics import Datasets

    def opened() -> Datasets:
        return Datasets(path(places.state), places.clock.now_ms, places.synchronous)

    return places.keep(FOLDER, opened)


def _open(record: DatasetRecord, places: Places) -> Binding:
    from bindings.analytics.analytics import Dataset

    return Dataset(datasets(places), record.name)


def _in_workerd(record: DatasetRecord, service: str) -> dict[str, Value]:
    from emulator.runner.workerd.member import called

    return called(service, told=["writeDataPoint"])


KIND = Kind(
    name=NAME,
    typed="AnalyticsEngineDataset",
    section="analytics_engine_datasets",
    friendly="Analytics Engine Dataset",
    keys=frozenset({"binding", "dataset", "remote"}),
    read=_read,
    open=_open,
    shown=lambda dataset: dataset.name,
    files=(FOLDER,),
    commands="emulator.cli.analytics:analytics",
    command="analytics",
    routes="emulator.server.api.analytics:routes",
    workerd=_in_workerd,
    http="bindings.calls:answer",
)
