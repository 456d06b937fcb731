"""Short ways to call a D1 binding from a plain test function."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bindings.binding import Encoded
from bindings.d1.database import D1
from bindings.sql.values import with_lists
from emulator.errors import WorkerError
from emulator.protocol.values import decode

T = TypeVar("T")
Entry = str | tuple[str, list[Any]]


def with_d1(path: Path, work: Callable[[D1], Awaitable[T]], **options: Any) -> T:
    """Run `work` on a database in `path` and close it, whatever happens."""

    async def run() -> T:
        database = D1(path, "db", **options)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


async def query(database: D1, *entries: Entry) -> Any:
    """Send `entries` as one call; the answer is what the guest's client would get."""
    found = await database.call(
        "query",
        [
            [
                {"sql": entry, "params": None}
                if isinstance(entry, str)
                else {"sql": entry[0], "params": entry[1]}
                for entry in entries
            ]
        ],
    )
    return decode(found.data) if isinstance(found, Encoded) else found


async def rows(database: D1, sql: str, *params: Any) -> Any:
    """Return the rows of one statement, each BLOB as a list of numbers, as a client does."""
    return with_lists((await query(database, (sql, list(params))))[0]["results"]["rows"])


async def refusal(database: D1, *entries: Entry) -> str:
    """Return the text of the error that `entries` must cause."""
    with pytest.raises(WorkerError) as caught:
        await query(database, *entries)
    return caught.value.message


def message(path: Path, *calls: list[Entry]) -> str:
    """Return the error text of the last of `calls`, after the others have succeeded."""

    async def work(database: D1) -> str:
        for entries in calls[:-1]:
            await query(database, *entries)
        return await refusal(database, *calls[-1])

    return with_d1(path, work)
