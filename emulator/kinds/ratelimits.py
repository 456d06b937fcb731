"""Rate limits: `[[ratelimits]]`.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from bindings.ratelimit.ratelimit import PERIODS_S
from emulator.config.model import Bound
from emulator.config.problems import quoted
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "ratelimits"
LIMIT_MAX = 2**31 - 1
_EXAMPLE = (
    'with name = "LIMITER", namespace_id = "1" and simple = { limit = 100, period = 60 } below it.'
)


class RateLimitRecord(Struct, frozen=True):
    """One `[[ratelimits]]` entry: so many calls in so many seconds, counted in a namespace."""

    namespace: str
    limit: int
    period_s: int


def _read(section: Section) -> list[Bound[RateLimitRecord]]:
    found = []
    for item in section.items(_EXAMPLE):
        name = section.name(item, "LIMITER")
        namespace = item.string("namespace_id", required=True, example="1")
        record = _read_simple(item, namespace or "")
        if name and namespace and record is not None:
            found.append(Bound(name, NAME, record))
    return found


def _read_simple(item: Table, namespace: str) -> RateLimitRecord | None:
    simple = item.table("simple", "Write simple = { limit = 100, period = 60 }.")
    if simple is None:
        if "simple" not in item.data:
            fix = "Add simple = { limit = 100, period = 60 }."
            item.error(None, f"{item.name()} has no simple; expected an object", fix)
        return None
    simple.unknown_keys({"limit", "period"})
    limit = simple.integer("limit", 1, LIMIT_MAX)
    period = simple.data.get("period")
    if period not in PERIODS_S:
        text = f"{simple.name('period')} is {quoted(period)}; expected 10 or 60"
        simple.error("period" if "period" in simple.data else None, text)
        return None
    if limit is None:
        if "limit" not in simple.data:
            simple.error(None, f"{simple.name()} has no limit; expected a whole number")
        return None
    return RateLimitRecord(namespace, limit, int(period))


def _open(record: RateLimitRecord, places: Places) -> Binding:
    from bindings.ratelimit.ratelimit import Counts, RateLimit

    def new_counts() -> Counts:
        return Counts(places.clock.now_ms)

    counts = places.keep(f"{NAME} {record.namespace}", new_counts)  # a reload renews nothing
    return RateLimit(counts, record.limit, record.period_s)


def _in_workerd(record: RateLimitRecord, service: str) -> dict[str, Value]:
    from emulator.runner.workerd.member import called

    return called(service, methods=["limit"])


KIND = Kind(
    name=NAME,
    typed="RateLimit",
    section="ratelimits",
    friendly="Rate Limit",
    keys=frozenset({"name", "namespace_id", "simple"}),
    name_key="name",
    read=_read,
    open=_open,
    shown=lambda record: f"{record.limit} in {record.period_s} s",
    workerd=_in_workerd,
    http="bindings.calls:answer",
)
