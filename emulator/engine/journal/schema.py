"""The journal's file format: other files are refused, a new journal gets the newest schema.

A new journal is a complete file from the beginning. So an empty file was emptied by something else,
and is refused too. A journal of an earlier version is converted in one transaction, completely or
not at all. There is no way back, so a newer journal is refused unchanged.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from emulator import sqlite
from emulator.disk import (
    AFRESH,
    Trouble,
    refusal,
    refuse_foreign_link,
    replace_file,
    trouble_of,
)
from emulator.errors import StateError

SCHEMA_VERSION = 3
FOLDER = Path(__file__).parent
_SQLITE_MAGIC = b"SQLite format 3\x00"
_BESIDE = ("-wal", "-shm", "-journal")  # SQLite's files beside a database


def open_journal(path: Path, synchronous: sqlite.Synchronous) -> sqlite3.Connection:
    """Return a connection to the journal at `path`, which is created or converted if needed.

    Raises StateError when it is not a journal, is empty or damaged, or was written by a newer
    Groundfog; then nothing was changed.
    """
    exists = _is_there(path)
    try:
        if exists:
            _inspect(path)
        refuse_foreign_link(path)
        if not exists:
            _create(path)
        connection = sqlite.connect(path, synchronous)
        try:
            _bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        return connection
    except (sqlite3.Error, OSError) as error:
        raise unusable(path, error) from error


def read_journal(path: Path) -> sqlite3.Connection:
    """Return a connection for reading the journal at `path`; no byte of the file changes.

    A missing journal is an empty one in memory; one of an earlier version is converted in memory.
    Raises StateError when it is not a journal, is empty, or was written by a newer Groundfog.
    """
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        if _is_there(path):
            stored = sqlite.connect_read_only(path)
            try:
                if _own_version(path, stored) == SCHEMA_VERSION:
                    memory.close()
                    return stored
                stored.backup(memory)
            except BaseException:
                stored.close()
                raise
            stored.close()
        _bring_up_to_date(memory)
        return memory
    except BaseException as error:
        memory.close()
        if isinstance(error, sqlite3.Error):
            raise unusable(path, error) from error
        raise


def _create(path: Path) -> None:
    """Create a journal, completely or not at all, also if this process ends. Raises OSError."""
    file = Path(os.path.realpath(path))
    for suffix in _BESIDE:  # left over from a removed journal: SQLite would use them
        file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        _bring_up_to_date(memory)
        replace_file(file, memory.serialize())
    finally:
        memory.close()


def _is_there(path: Path) -> bool:
    """Whether there is a SQLite file. Raises StateError for any other file."""
    try:
        with path.open("rb") as file:
            header = file.read(len(_SQLITE_MAGIC))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError(refusal(path, "the journal cannot be opened", error)) from error
    if not header:  # SQLite must not open it, as it would remove the log beside it
        raise _emptied(path)
    if header != _SQLITE_MAGIC:
        raise StateError(
            f"{path}: this is not a SQLite database, so it is not a journal. Nothing was changed.\n"
            f"  {AFRESH}"
        )
    return True


def _inspect(path: Path) -> None:
    """Refuse a database that is not ours, newer or damaged, before anything can write to it."""
    connection = sqlite.connect_read_only(path)
    try:
        _own_version(path, connection)
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(f"damaged: {damage}")
    finally:
        connection.close()


def _own_version(path: Path, connection: sqlite3.Connection) -> int:
    """Return the version of a journal. Raises StateError for an empty file and any other one."""
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise StateError(
            f"{path}: written by a newer Groundfog (journal version {version}; this one reads"
            f" up to {SCHEMA_VERSION}). Nothing was changed.\n"
            "  Upgrade Groundfog, or use another state directory with --persist-to DIR."
        )
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    except UnicodeDecodeError as error:  # SQLite's message quotes the damaged file
        raise sqlite3.DatabaseError(f"damaged: {error}") from error
    if not tables:
        raise _emptied(path)
    if version == 0:
        raise StateError(
            f"{path}: a SQLite database, but not a journal. Nothing was changed.\n"
            "  Move it away, or use another state directory with --persist-to DIR."
        )
    return version


def _emptied(path: Path) -> StateError:
    return StateError(
        f"{path}: the journal is empty. Groundfog never does that: something else has emptied"
        f" it, and its content is lost. Nothing was changed.\n  {AFRESH}"
    )


def unusable(path: Path, error: sqlite3.Error | OSError) -> StateError:
    """Return the error for a journal that SQLite cannot use.

    Only a damaged journal must be replaced; a full disk, for example, does not harm it.
    """
    damaged = trouble_of(path, error) is Trouble.DAMAGED
    what = "the journal is damaged and" if damaged else "the journal"
    return StateError(refusal(path, f"{what} cannot be opened", error))


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    version = _version(connection)
    if version == SCHEMA_VERSION:
        return
    if version == 0:
        scripts = ["schema.sql"]
    else:
        scripts = [f"migration-{number}.sql" for number in range(version + 1, SCHEMA_VERSION + 1)]
    statements = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in scripts)
    connection.executescript(
        f"BEGIN IMMEDIATE;\n{statements}\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
    )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
