"""The `meta` record of a result: what one statement cost and changed.

`rows_read` and `rows_written` are estimates from `meter`: only workerd's own build of SQLite counts
them. Source: docs/platform/d1.md, "meta".
"""

from __future__ import annotations

from msgspec import Struct

from emulator.answers.d1 import Meta

SERVED_BY = "miniflare.db"  # what the official local engine says; production says e.g. "v3-prod"
# Production names the region and data centre that answered. Here: any, for code that reads them.
SERVED_BY_REGION = "WNAM"
SERVED_BY_COLO = "SJC"


class Standing(Struct, frozen=True):
    """The counters of a connection between two statements; `meta` is the difference of two."""

    total_changes: int
    last_row_id: int
    size_bytes: int


def meta(
    before: Standing,
    after: Standing,
    *,
    rows_read: int,
    rows_written: int,
    duration_ms: float,
) -> Meta:
    """Return the `meta` of a statement that took the connection from `before` to `after`.

    A SELECT repeats the `last_row_id` of the last insertion.
    """
    changes = after.total_changes - before.total_changes
    return {
        "served_by": SERVED_BY,
        "served_by_region": SERVED_BY_REGION,
        "served_by_colo": SERVED_BY_COLO,
        "served_by_primary": True,
        "timings": {"sql_duration_ms": duration_ms},
        "total_attempts": 1,
        "duration": duration_ms,
        "changes": changes,
        "last_row_id": after.last_row_id,
        "changed_db": changes != 0
        or after.last_row_id != before.last_row_id
        or after.size_bytes != before.size_bytes,
        "size_after": after.size_bytes,
        "rows_read": rows_read,
        "rows_written": rows_written,
    }
