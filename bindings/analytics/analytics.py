"""The data points of the project's datasets, in one SQLite file, and the binding that writes them.

Source: docs/platform/small-bindings.md, "Analytics Engine".
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from bindings.store import Store
from emulator.errors import WorkerError
from emulator.sqlite import Synchronous

if TYPE_CHECKING:
    from bindings.analytics.sql.running import Result

BLOBS_MAX = DOUBLES_MAX = 20
INDEXES_MAX = 1
BLOBS_MAX_BYTES = 16 * 1024
INDEX_MAX_BYTES = 96
KEPT_MS = 90 * 86_400_000
_PREFIX = "writeDataPoint(): "
SCHEMA = (
    """
    CREATE TABLE points (
        number INTEGER PRIMARY KEY, dataset TEXT NOT NULL, at_ms INTEGER NOT NULL,
        index1 TEXT NOT NULL, blobs TEXT NOT NULL, doubles TEXT NOT NULL
    );
    CREATE INDEX by_time ON points (dataset, at_ms)
    """,
)


class Point(Struct, frozen=True):
    """A data point, as the SQL API names its parts."""

    at_ms: int
    index: str
    blobs: list[str]
    doubles: list[float]


class Datasets:
    """The data points in the file `path`. Its methods raise WorkerError when the disk refuses."""

    def __init__(self, path: Path, now_ms: Callable[[], int], synchronous: Synchronous) -> None:
        self._store = Store(path, SCHEMA, synchronous)
        self._now_ms = now_ms
        self.removed = self._store.removed
        self.close = self._store.close

    async def add(self, dataset: str, point: Any) -> None:
        """Write a data point; durable on return. Raises WorkerError, also for a wrong one."""
        read = read_point(point, self._now_ms())
        row = dataset, read.at_ms, read.index, json.dumps(read.blobs), json.dumps(read.doubles)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO points (dataset, at_ms, index1, blobs, doubles)"
                " VALUES (?, ?, ?, ?, ?)",
                row,
            )
            connection.execute(
                "DELETE FROM points WHERE number IN (SELECT number FROM points"
                " WHERE dataset = ? AND at_ms < ? ORDER BY at_ms LIMIT 100)",
                (dataset, read.at_ms - KEPT_MS),
            )

        await self._store.write(write)

    async def query(self, query: str, parameters: Any = None, namespace: str = "") -> Result:
        """Return what a query finds, run on a thread; see `running.run`. Raises InvalidQuery."""
        from bindings.analytics.sql.running import run  # most workers query nothing

        now_ms = self._now_ms()
        return await self._store.read_long(lambda on: run(on, query, now_ms, parameters, namespace))

    def newest(self, dataset: str, limit: int) -> list[Point]:
        """Return the newest data points, the newest first."""
        rows = self._store.read(
            lambda on: on.execute(
                "SELECT at_ms, index1, blobs, doubles FROM points WHERE dataset = ?"
                " ORDER BY number DESC LIMIT ?",
                (dataset, limit),
            ).fetchall()
        )
        return [Point(at, index, json.loads(b), json.loads(d)) for at, index, b, d in rows]


class Dataset:
    """One dataset on `env`."""

    kind = "analytics_engine"

    def __init__(self, datasets: Datasets, name: str) -> None:
        self.datasets = datasets
        self._name = name
        self.removed = datasets.removed

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run `writeDataPoint(point)`. Raises WorkerError."""
        if method != "writeDataPoint":
            raise WorkerError(f'A dataset has no method "{method}"')
        await self.datasets.add(self._name, args[0] if args else None)

    async def close(self) -> None:
        """Close the file, for all datasets."""
        await self.datasets.close()


def read_point(given: Any, now_ms: int) -> Point:
    """Return a data point `{blobs, doubles, indexes}`. Raises WorkerError."""
    fields = given if isinstance(given, dict) else {}
    blobs = [_text(each) for each in _list(fields, "blobs", BLOBS_MAX)]
    doubles = [_double(each) for each in _list(fields, "doubles", DOUBLES_MAX)]
    indexes = [_text(each) for each in _list(fields, "indexes", INDEXES_MAX)]
    if sum(len(each.encode("utf-8", "replace")) for each in blobs) > BLOBS_MAX_BYTES:
        raise _wrong(f"Cumulative size of blobs exceeds {BLOBS_MAX_BYTES} bytes.")
    if indexes and len(indexes[0].encode("utf-8", "replace")) > INDEX_MAX_BYTES:
        raise _wrong(f"Size of indexes[0] exceeds {INDEX_MAX_BYTES} bytes.")
    return Point(now_ms, indexes[0] if indexes else "", blobs, doubles)


def _list(fields: dict[str, Any], name: str, most: int) -> Sequence[Any]:
    found = fields.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise _wrong(f"{name} is not an array.")
    if len(found) > most:
        raise _wrong(f"Maximum of {most} {name} supported.")
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _double(value: Any) -> float:
    if not isinstance(value, int | float):
        raise _wrong("doubles has a value that is not a number.")
    return float(value)


def _wrong(text: str) -> WorkerError:
    return WorkerError(_PREFIX + text, name="TypeError")
