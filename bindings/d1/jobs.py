"""One call on its way to a connection, and the two ways in which a connection hands it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bindings.d1.values import Parameter

# {"success": True, "meta": {…}, "results": {"columns": […], "rows": [[cell, …], …]}}; the rows of a
# job that `encodes` may be EncodedRows.
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """One entry of a call: `sql` may hold several statements, the last takes `params`."""

    sql: str
    params: tuple[Parameter, ...] = ()


@dataclass(slots=True, eq=False)
class Job:
    """One call on its way through a connection; `abandoned` stops it and undoes its work.

    With `encodes`, many rows come as JSON already, made where they were read.
    """

    queries: tuple[Query, ...]
    timeout_ms: int
    encodes: bool = False
    last_row_id: int = 0  # what a connection for reading reports; the writing one knows its own
    abandoned: bool = False
    duration_ms: float = 0.0  # how long it took in the end


class TooSlow(Exception):
    """The event loop is no place for the job, which may be slow or fail; nothing came of it."""


class NeedsWriter(Exception):
    """The job cannot be done by a connection for reading; nothing of it was done."""
