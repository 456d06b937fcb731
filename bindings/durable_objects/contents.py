"""What the file of an object has in it, for people who look into it. Nothing is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
from msgspec import Struct

from bindings.durable_objects.alarms import Stored, stored
from bindings.sql.opening import open_read_only
from emulator.errors import WorkerError

_TABLES = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    " AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name"
)


class Contents(Struct, frozen=True):
    """keys: how many; tables: the object's own, with their rows; size: bytes of the database."""

    about: Stored
    keys: int
    tables: dict[str, int]
    size: int


def objects_in(folder: Path) -> Iterator[Path]:
    """Yield the files of the objects of a class, in the order of their ids."""
    yield from sorted(folder.glob("*.sqlite"))


def contents(file: Path) -> Contents:
    """Return what a file has in it. Raises WorkerError for one that cannot be read."""
    about = stored(file) or Stored(file.stem, None, None)
    with _reading(file) as connection:
        tables = {}
        found: Any = connection.execute(_TABLES).fetchall()
        for (name,) in found:
            quoted = name.replace('"', '""')
            tables[name] = int(connection.execute(f'SELECT count(*) FROM "{quoted}"').get)
        keys = int(connection.execute("SELECT count(*) FROM _cf_KV").get)
        pages = int(connection.execute("PRAGMA page_count").get)
        return Contents(
            about, keys, tables, pages * int(connection.execute("PRAGMA page_size").get)
        )


def values_of(file: Path) -> dict[str, str]:
    """Return the keys of an object, and each value in tagged JSON. Raises WorkerError."""
    with _reading(file) as connection:
        rows: Any = connection.execute("SELECT key, value FROM _cf_KV ORDER BY key").fetchall()
        return {key: value if isinstance(value, str) else repr(value) for key, value in rows}


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[apsw.Connection]:
    try:
        connection = open_read_only(file)
    except apsw.Error as error:
        raise WorkerError(f"{file}: cannot be read ({error})") from None
    try:
        yield connection
    except apsw.Error as error:
        raise WorkerError(f"{file}: cannot be read ({error})") from None
    finally:
        connection.close()
