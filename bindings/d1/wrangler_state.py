"""The databases of `wrangler dev` in `.wrangler/state`: where they are, and how one is copied.

It reads wrangler's files, also while wrangler uses them, and never changes them.
Source: docs/platform/d1.md, "Where wrangler keeps a local database".
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import apsw

from bindings.sql.authorizer import RESERVED_PREFIX
from bindings.sql.opening import open_read_only, open_whole
from bindings.wrangler_files import object_file
from emulator.disk import make_folder
from emulator.errors import EmulatorError


def wrangler_file(state: Path, local_id: str) -> Path:
    """Return the file of the database `local_id` below wrangler's folder `state`."""
    return object_file(state, "d1", "miniflare-D1DatabaseObject", local_id)


def user_tables(path: Path) -> list[str]:
    """Return the names of the tables and views in the database `path`; none if it is not there.

    Raises EmulatorError when the file is not a database.
    """
    if not path.exists():
        return []
    try:
        with closing(open_read_only(path)) as connection:
            return _user_tables(connection)
    except apsw.Error as error:
        raise EmulatorError(f"{path}: {error}") from None


def take_over(source: Path, target: Path) -> list[str]:
    """Make `target` a copy of wrangler's database `source`, without workerd's own tables.

    Returns the names of its tables. All of `target` is replaced in one transaction, so that a
    server may be using it. Raises EmulatorError, having changed nothing.
    """
    try:
        make_folder(target.parent)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=target.parent) as folder:
            with (
                closing(open_read_only(source)) as original,
                closing(apsw.Connection(str(Path(folder) / "copy.sqlite"))) as copy,
            ):
                _copy(original, copy)
                _clean(copy, source)
                with closing(open_whole(target)) as database:
                    _copy(copy, database)
                return _user_tables(copy)
    except apsw.Error as error:
        raise EmulatorError(f"{source} cannot be taken over into {target}: {error}") from None
    except OSError as error:
        raise EmulatorError(f"{target}: cannot be written: {error.strerror or error}") from None


def _copy(source: apsw.Connection, target: apsw.Connection) -> None:
    # This fails if the file is not a database; a backup does not fail.
    source.execute("PRAGMA schema_version").fetchall()
    with target.backup("main", source, "main") as backup:
        backup.step()


def _clean(copy: apsw.Connection, source: Path) -> None:
    verdict = copy.execute("PRAGMA quick_check(1)").get
    if verdict != "ok":
        raise EmulatorError(f"{source} is damaged and was not taken over: {verdict}")
    copy.execute("PRAGMA journal_mode = DELETE")
    for (name,) in copy.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE ? ESCAPE '\\'",
        [RESERVED_PREFIX.replace("_", "\\_") + "%"],
    ).fetchall():
        quoted = str(name).replace('"', '""')
        copy.execute(f'DROP TABLE "{quoted}"')
    # SQLite copies whole pages between files, so both must have pages of the same size.
    copy.execute("PRAGMA page_size = 4096")
    copy.execute("VACUUM")


def _user_tables(connection: apsw.Connection) -> list[str]:
    # A virtual table, such as FTS5's, keeps shadow tables for itself.
    names = connection.execute(
        "SELECT name FROM pragma_table_list"
        " WHERE schema = 'main' AND type <> 'shadow' ORDER BY name"
    )
    hidden = (RESERVED_PREFIX, "sqlite_")
    return [name for (name,) in names if not name.lower().startswith(hidden)]
