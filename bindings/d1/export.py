"""Writes a database as SQL text that D1 can execute again: `d1 export`.

Owns the text of every value and statement. It reads one state of the file and changes nothing.
Source: docs/platform/d1.md, "Exports".
Differs: integers beyond 2^53, 5.0 and text with NUL or broken UTF-8 keep their exact value, and
`tables` includes their indexes and triggers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from bindings.sql.authorizer import RESERVED_PREFIX
from bindings.sql.opening import open_whole
from bindings.sql.undecodable import decoded, query_as_bytes
from emulator.errors import EmulatorError, UsageError

VIRTUAL_TABLE = "D1 Export error: cannot export databases with Virtual Tables (fts5)"


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """Open the existing database `path` to read one state of it; a server may be running.

    Raises EmulatorError when it cannot be read, at the start or in the body.
    """
    try:
        with closing(open_whole(path)) as connection:
            connection.execute("BEGIN")
            yield connection
    except apsw.Error as error:
        raise EmulatorError(f"{path}: {error}") from None


def dump_sql(
    connection: apsw.Connection,
    *,
    tables: Collection[str] = (),
    schema: bool = True,
    data: bool = True,
) -> Iterator[str]:
    """Yield the statements that make the database again, each with `;` at its end, no newline.

    `tables` limits it to these. Raises UsageError for a virtual or unknown table.
    """
    found = _tables(connection)
    unknown = sorted(set(tables) - {name for name, _ in found})
    if unknown:
        raise UsageError(f"there is no table {', '.join(unknown)}")
    yield "PRAGMA defer_foreign_keys=TRUE;"
    wanted: list[tuple[str, str]] = []
    for name, sql in found:
        if tables and name not in tables:
            continue
        if _is_virtual(sql):
            raise UsageError(VIRTUAL_TABLE)
        preparation = _preparation(name, sql)
        if preparation is not None:
            wanted.append((name, preparation))
    tables_first = schema and _refers_forward(connection, [name for name, _ in wanted])
    for name, preparation in wanted if tables_first else ():
        if not name.startswith("sqlite_"):
            yield preparation
    for name, preparation in wanted:
        if schema and not (tables_first and not name.startswith("sqlite_")):
            yield preparation
        if data:
            yield from _inserts(connection, name)
    if schema:
        yield from _rest_of_schema(connection, tables)


def dump_rows(connection: apsw.Connection, but: Collection[str] = ()) -> dict[str, list[str]]:
    """Return the statements that insert the rows, by table; those of empty tables are [].

    but: tables that are left out, with those of SQLite and D1 themselves and virtual ones.
    """
    return {
        name: list(_inserts(connection, name))
        for name, sql in _tables(connection)
        if name not in but
        and not name.lower().startswith((RESERVED_PREFIX, "sqlite_"))
        and not _is_virtual(sql)
    }


def dump_for_sqlite3(connection: apsw.Connection) -> Iterator[str]:
    """Yield what `sqlite3 FILE .dump` writes, with virtual tables and their content.

    Source: https://github.com/sqlite/sqlite/blob/master/src/shell.c.in (dump_callback).
    """
    yield "PRAGMA foreign_keys=OFF;"
    yield "BEGIN TRANSACTION;"
    tables = _tables(connection)
    if any(_is_virtual(sql) for _, sql in tables):
        yield "PRAGMA writable_schema=ON;"
    for name, sql in tables:
        preparation = _preparation(name, sql)
        if _is_virtual(sql):
            values = ",".join(map(_text_literal, ("table", name, name)))
            yield (
                "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)"
                f" VALUES({values},0,{_text_literal(sql)});"
            )
        elif preparation is not None:
            yield preparation
            yield from _inserts(connection, name)
    yield from _rest_of_schema(connection, ())
    if any(_is_virtual(sql) for _, sql in tables):
        yield "PRAGMA writable_schema=OFF;"
    yield "COMMIT;"


def _tables(connection: apsw.Connection) -> list[tuple[str, str]]:
    found = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql NOT NULL"
        " ORDER BY tbl_name = 'sqlite_sequence', rowid"
    )
    return [(str(name), str(sql)) for name, sql in found]


def _is_virtual(sql: str) -> bool:
    return sql.upper().startswith("CREATE VIRTUAL TABLE")


def _refers_forward(connection: apsw.Connection, names: list[str]) -> bool:
    """Return whether a table has a foreign key to a table that is made later.

    Its rows cannot be inserted before the later table exists, so then all tables are made first.
    """
    later = {name.lower() for name in names}
    for name in names:
        keys = connection.execute(f"PRAGMA foreign_key_list({_quoted_name(name)})")
        later.discard(name.lower())
        if any(row[2].lower() in later for row in keys):
            return True
    return False


def _preparation(name: str, sql: str) -> str | None:
    """Return the statement before the rows of a table; None for a table that is not exported."""
    if name == "sqlite_sequence":
        return "DELETE FROM sqlite_sequence;"
    if name.startswith("sqlite_stat"):
        return "ANALYZE sqlite_schema;"
    if name.lower().startswith((RESERVED_PREFIX, "sqlite_")):
        return None
    if sql.startswith(("CREATE TABLE '", 'CREATE TABLE "')):
        return f"CREATE TABLE IF NOT EXISTS {sql[len('CREATE TABLE ') :]};"
    return f"{sql};"


def _inserts(connection: apsw.Connection, table: str) -> Iterator[str]:
    # Generated columns are not in the list: they cannot be inserted.
    columns = [
        _quoted_name(row[1])
        for row in connection.execute(f"PRAGMA table_info({_quoted_name(table)})")
    ]
    head = f"INSERT INTO {_quoted_name(table)} ({','.join(columns)}) VALUES("
    query = query_as_bytes(f"SELECT {','.join(columns)} FROM {_quoted_name(table)}", len(columns))
    for row in connection.execute(query):
        yield f"{head}{','.join(map(_literal, decoded(row, 'surrogateescape')))});"


def _rest_of_schema(connection: apsw.Connection, tables: Collection[str]) -> Iterator[str]:
    for name, table, sql in connection.execute(
        "SELECT name, tbl_name, sql FROM sqlite_schema"
        " WHERE type IN ('index', 'trigger', 'view') AND sql NOT NULL ORDER BY type, rowid"
    ):
        if not tables or name in tables or table in tables:
            yield f"{sql};"


def _literal(value: None | int | float | str | bytes) -> str:
    match value:
        case None:
            return "NULL"
        case int():
            return str(value)
        case float():
            # SQLite stores no NaN, and reads a number that is too large as infinity.
            return repr(value).replace("inf", "9e999")
        case bytes():
            return f"X'{value.hex()}'"
    return _text_literal(value)


def _text_literal(value: str) -> str:
    data = value.encode("utf-8", "surrogateescape")
    if "\0" in value or len(data.decode("utf-8", "ignore")) != len(value):
        return f"CAST(X'{data.hex()}' AS TEXT)"
    # One statement per line, so that `d1 execute` and SQLite's shell can show where an error is.
    literal = "'" + value.replace("'", "''") + "'"
    for character, escape, code in (("\r", "\\r", 13), ("\n", "\\n", 10)):
        if character in value:
            mark = _unused(escape, value)
            literal = f"replace({literal.replace(character, mark)},'{mark}',char({code}))"
    return literal


def _unused(mark: str, value: str) -> str:
    """Return `mark`, made longer until `value` does not hold it."""
    while mark in value:
        mark = f"\\{mark}"
    return mark


def _quoted_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
