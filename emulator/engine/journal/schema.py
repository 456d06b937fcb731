"""The journal's file format: what is no journal is refused, a new one gets the newest schema.

A new journal is a whole file from its first moment on, so an empty one was emptied by others and is
refused too. A journal of an earlier version is carried forward in one transaction, which either
succeeds as a whole or leaves the file as it was; there is no way back, so a newer journal is
refused untouched.
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
_FOLDER = Path(__file__).parent
_SQLITE_MAGIC = b"SQLite format 3\x00"
_BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a database


def open_journal(path: Path, synchronous: sqlite.Synchronous) -> sqlite3.Connection:
    """Return a connection to the journal at `path`, created or brought up to date if need be.

    Raises StateError, having changed nothing, when it is no journal, empty, damaged, or was written
    by a newer Groundfog.
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
    """Return a connection for reading the journal at `path`, which stays as it is to the last byte.

    Where there is none yet, it is an empty one in memory; one of an earlier version is carried
    forward in memory. Raises StateError when it is no journal, empty, or a newer Groundfog's.
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
    """Make a journal, wholly or not at all, whatever ends this process. Raises OSError."""
    file = Path(os.path.realpath(path))
    for suffix in _BESIDE:  # of one that was removed: SQLite would take what is there as its own
        file.with_name(f"{file.name}{suffix}").unlink(missing_ok=True)
    memory = sqlite3.connect(":memory:", isolation_level=None)
    try:
        _bring_up_to_date(memory)
        replace_file(file, memory.serialize())
    finally:
        memory.close()


def _is_there(path: Path) -> bool:
    """Whether there is a SQLite file to look into. Raises StateError for any other file."""
    try:
        with path.open("rb") as file:
            header = file.read(len(_SQLITE_MAGIC))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError(refusal(path, "the journal cannot be opened", error)) from error
    if not header:  # SQLite must not open it: it would remove the log beside it
        raise _emptied(path)
    if header != _SQLITE_MAGIC:
        raise StateError(
            f"{path}: this is not a SQLite database, so it is no journal. Nothing was changed.\n"
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
    except UnicodeDecodeError as error:  # SQLite names the damage in words of the file
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
        f"{path}: the journal is empty. Groundfog never leaves it so: something else has emptied"
        f" it, and what it held is gone. Nothing was changed.\n  {AFRESH}"
    )


def unusable(path: Path, error: sqlite3.Error | OSError) -> StateError:
    """Return the error for a journal that SQLite cannot use.

    Only what is damaged is to be replaced; a full disk, say, has done the journal no harm.
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
    statements = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in scripts)
    connection.executescript(
        f"BEGIN IMMEDIATE;\n{statements}\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
    )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
