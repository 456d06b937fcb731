"""`env.INDEX`: the methods of a Vectorize binding, on the index's own thread.

Every call runs there, in order. So SQLite and NumPy never block the event loop, and the index needs
no lock. Errors get the prefix that the platform's client gives them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from bindings.binding import Value
from bindings.messages import shortened
from bindings.vectorize.errors import STORAGE, Refused
from bindings.vectorize.index import Index
from bindings.vectorize.settings import IndexConfig
from bindings.vectorize.vectors import (
    DELETE_IDS_MAX,
    GET_IDS_MAX,
    parse_ids,
    parse_vectors,
)
from emulator.clock import Clock
from emulator.errors import StateError, WorkerError

T = TypeVar("T")

# Method of the binding: the operation that the client names in an error.
OPERATIONS = {
    "describe": "INDEX_GET",
    "query": "VECTOR_QUERY",
    "queryById": "VECTOR_QUERY",
    "insert": "VECTOR_INSERT",
    "upsert": "VECTOR_UPSERT",
    "getByIds": "VECTOR_GET",
    "deleteByIds": "VECTOR_DELETE",
}


class Vectorize:
    """The binding. `announce` gets sentences for the person at the terminal.

    Settings missing in `config` come from `groundfog vectorize create`, or from the first insert.
    """

    kind = "vectorize"

    def __init__(
        self,
        path: Path,
        index_name: str,
        config: IndexConfig | None = None,
        *,
        announce: Callable[[str], None] = lambda text: None,
        clock: Clock | None = None,
    ) -> None:
        self._index = Index(path, index_name, config, clock)
        self._announce = announce
        self._announced: set[str] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"vectorize-{index_name}")

    async def call(self, method: str, args: list[Value]) -> Value:
        """Run one method of the binding and return its plain result; raises WorkerError."""
        if method not in OPERATIONS:
            raise WorkerError(
                f"{shortened(method)} is not a method of a Vectorize binding; "
                f"it has {', '.join(OPERATIONS)}",
                name="TypeError",
            )
        try:
            return await self.request(method, args)
        except Refused as refused:
            raise refused.during(OPERATIONS[method]) from None

    async def request(self, method: str, args: list[Value]) -> Value:
        """Do the same, but raise the service's Refused as it is, without the client's prefix."""
        try:
            return await self.on_index(lambda index: self._run(method, args))
        except Refused as refused:
            raise refused.of(method) from None

    async def on_index(self, run: Callable[[Index], T]) -> T:
        """Run something on the index's thread. Raises Refused."""
        loop = asyncio.get_running_loop()

        def work() -> T:
            try:
                return run(self._index)
            finally:
                texts, self._index.announcements = self._index.announcements, []
                if texts:
                    loop.call_soon_threadsafe(self._tell, texts)

        try:
            return await loop.run_in_executor(self._thread, work)
        except (sqlite3.Error, StateError, OSError) as error:
            text = str(error) if isinstance(error, StateError) else f"{self._index.path}: {error}"
            raise Refused(STORAGE, text) from error

    def removed(self) -> str:
        """Return a message if the file was removed or replaced while it is open, else ""."""
        return self._index.removed()

    async def close(self) -> None:
        """Close the file after the calls in progress."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._index.close)
        self._thread.shutdown()

    def _tell(self, texts: list[str]) -> None:
        for text in texts:
            if text not in self._announced:
                self._announced.add(text)
                self._announce(text)

    def _run(self, method: str, args: list[Any]) -> Value:
        index = self._index
        first = args[0] if args else None
        second = args[1] if len(args) > 1 else None
        match method:
            case "describe":
                return index.describe()
            case "query":
                return index.query(first, second)
            case "queryById":
                return index.query_by_id(first, second)
            case "insert" | "upsert":
                return index.write(method, parse_vectors(first))
            case "getByIds":
                return index.get(parse_ids(first, GET_IDS_MAX))
            case _:
                return index.delete(parse_ids(first, DELETE_IDS_MAX))
