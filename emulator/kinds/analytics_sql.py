"""Analytics SQL: `[analytics]`.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.config.model import Bound
from emulator.kinds import analytics_engine
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "analytics_sql"


class Analytics(Struct, frozen=True):
    """`[analytics]`: it asks all datasets of the project."""


def _read(section: Section) -> list[Bound[Analytics]]:
    item = section.item('with binding = "ANALYTICS" below it')
    name = None if item is None else section.name(item, "ANALYTICS")
    return [Bound(name, NAME, Analytics())] if name else []


def _open(record: Analytics, places: Places) -> Binding:
    from bindings.analytics.sql.binding import AnalyticsSql

    return AnalyticsSql(analytics_engine.datasets(places))


def _in_workerd(record: Analytics, service: str) -> dict[str, Value]:
    from emulator.runner.workerd.member import called

    return called(service, methods=["query"])


KIND = Kind(
    name=NAME,
    typed="AnalyticsSQL",
    section="analytics",
    friendly="Analytics SQL",
    keys=frozenset({"binding", "remote"}),
    read=_read,
    open=_open,
    shown=lambda record: "data points of this project",
    workerd=_in_workerd,
    http="bindings.calls:answer",
)
