"""The answers of D1 to its clients and commands."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Timings(TypedDict):
    """Milliseconds."""

    sql_duration_ms: float


class Meta(TypedDict):
    """What one statement cost and changed; `duration` is in milliseconds.

    Source: docs/platform/d1.md, "meta".
    """

    served_by: str
    served_by_region: str
    served_by_colo: str
    served_by_primary: bool
    timings: Timings
    total_attempts: int
    duration: float
    changes: int
    last_row_id: int
    changed_db: bool
    size_after: int
    rows_read: int
    rows_written: int


class Table(TypedDict):
    """Rows with their columns. `rows`: a list of lists of cells, or `EncodedRows`."""

    columns: list[str]
    rows: Any


class Result(TypedDict):
    """The result of one query, with rows as lists."""

    success: Literal[True]
    results: Table
    meta: Meta


class ObjectResult(TypedDict):
    """The result of one query, with rows as objects by column."""

    success: Literal[True]
    results: list[dict[str, Any]]
    meta: Meta


class DatabaseInfo(TypedDict):
    """Facts about a database; `database_size` is in bytes, with its log."""

    uuid: str
    name: str
    binding: str
    path: str
    created: bool
    num_tables: int
    database_size: int
    pending_migrations: int
    sqlite_version: str
