"""One call on its way to a connection, and the two ways in which a connection hands it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bindings.d1.values import Parameter

Result = dict[str, Any]  # {"success": True, "meta": {…}, "results": {"columns": […], "rows": […]}}


@dataclass(frozen=True, slots=True)
class Query:
    """One entry of a call: `sql` may hold several statements, the last takes `params`."""

    sql: str
    params: tuple[Parameter, ...] = ()


@dataclass(slots=True, eq=False)
class Job:
    """One call on its way through a connection; `abandoned` stops it and undoes its work."""

    queries: tuple[Query, ...]
    timeout_ms: int
    last_row_id: int = 0  # what a connection for reading reports; the writing one knows its own
    abandoned: bool = False


class TooSlow(Exception):
    """A quick session ran out of time, or would have to wait; nothing came of the job."""


class NeedsWriter(Exception):
    """The job cannot be done by a connection for reading; nothing of it was done."""
