"""One call for a connection, and the two ways in which a connection refuses it."""

from __future__ import annotations

from msgspec import Struct

from bindings.sql.values import Parameter


class Query(Struct, frozen=True):
    """One entry of a call: `sql` may have several statements; the last gets `params`."""

    sql: str
    params: tuple[Parameter, ...] = ()


class Job(Struct, eq=False):
    """One call for a connection; `abandoned` stops it and undoes its work.

    With `encodes`, many rows are returned as JSON, made on the thread that read them.
    """

    queries: tuple[Query, ...]
    timeout_ms: int
    encodes: bool = False
    last_row_id: int = 0  # for a connection for reading; the one for writing knows its own
    abandoned: bool = False
    duration_ms: float = 0.0  # how long it took


class TooSlow(Exception):
    """The job is not for the event loop: it may be slow, or fail. Nothing was done."""


class NeedsWriter(Exception):
    """A connection for reading cannot do the job. Nothing was done."""
