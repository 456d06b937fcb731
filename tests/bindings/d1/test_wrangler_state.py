from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bindings.d1.database import D1
from bindings.d1.wrangler_state import take_over, user_tables, wrangler_file
from emulator.errors import EmulatorError
from tests.bindings.d1.calls import query, rows

# What wrangler 4.164 named its file for the database id "1234-abc".
FILE = "cceb6ea7bb5810b729694b5450c895ec05a6b9e111bd54b9dd66c76b6e701ac1.sqlite"
WRANGLER_S = """
CREATE TABLE _cf_METADATA(key INTEGER PRIMARY KEY, value);
CREATE TABLE _cfother(a);
CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE VIRTUAL TABLE found USING fts5(text);
INSERT INTO users(name) VALUES ('ada');
INSERT INTO found VALUES ('hello world');
"""


def make(path: Path, *, page_bytes: int = 4096) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size = {page_bytes}")
        connection.executescript("PRAGMA journal_mode = WAL;" + WRANGLER_S)
    return path


def read(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_the_file_of_a_database_is_named_as_wrangler_names_it(tmp_path: Path) -> None:
    found = wrangler_file(tmp_path, "1234-abc")

    assert found == tmp_path / "v3" / "d1" / "miniflare-D1DatabaseObject" / FILE


@pytest.mark.parametrize("page_bytes", [4096, 8192])
def test_all_is_taken_over_but_workerd_s_own_tables(tmp_path: Path, page_bytes: int) -> None:
    source, target = make(tmp_path / "w.sqlite", page_bytes=page_bytes), tmp_path / "d" / "d.sqlite"

    tables = take_over(source, target)

    assert tables == ["_cfother", "found", "users"]
    assert read(target, "SELECT * FROM users") == [(1, "ada")]
    assert read(target, "SELECT * FROM found WHERE found MATCH 'hello'") == [("hello world",)]
    assert (
        read(target, "SELECT name FROM sqlite_schema WHERE name LIKE '\\_cf\\_%' ESCAPE '\\'") == []
    )
    assert [path.name for path in target.parent.iterdir() if path.name.startswith(".")] == []


def test_a_file_in_use_is_taken_over_with_all_that_is_committed(tmp_path: Path) -> None:
    source = make(tmp_path / "w.sqlite")
    with closing(sqlite3.connect(source, isolation_level=None)) as wrangler:
        wrangler.execute("INSERT INTO users(name) VALUES ('only in the log')")
        wrangler.execute("BEGIN IMMEDIATE")
        wrangler.execute("INSERT INTO users(name) VALUES ('not committed')")
        before = source.read_bytes()

        take_over(source, tmp_path / "d.sqlite")

        assert source.read_bytes() == before
        assert read(source, "SELECT count(*) FROM users") == [(2,)]
    assert read(tmp_path / "d.sqlite", "SELECT name FROM users") == [("ada",), ("only in the log",)]


def test_a_database_that_a_server_uses_is_replaced_under_it(tmp_path: Path) -> None:
    source, path = make(tmp_path / "w.sqlite"), tmp_path / "d.sqlite"

    async def work() -> Any:
        database = D1(path, "db")
        try:
            await query(database, "CREATE TABLE old(a)", "INSERT INTO old VALUES (1)")
            assert await rows(database, "SELECT a FROM old") == [[1]]
            await asyncio.to_thread(take_over, source, path)
            seen = await rows(database, "SELECT name FROM users")
            await query(database, "INSERT INTO users(name) VALUES ('new')")
            return seen, await rows(
                database, "SELECT name FROM sqlite_schema WHERE name IN ('old', 'users')"
            )
        finally:
            await database.close()

    assert asyncio.run(work()) == ([["ada"]], [["users"]])


def test_a_damaged_source_is_refused_and_the_target_stays(tmp_path: Path) -> None:
    source, target = make(tmp_path / "w.sqlite"), make(tmp_path / "d.sqlite")
    data = bytearray(source.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    source.write_bytes(data)

    with pytest.raises(EmulatorError, match="w.sqlite"):
        take_over(source, target)
    assert user_tables(target) == ["_cfother", "found", "users"]


def test_a_source_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.sqlite").write_bytes(b"not a database" * 100)

    with pytest.raises(EmulatorError, match="w.sqlite.*file is not a database"):
        take_over(tmp_path / "w.sqlite", tmp_path / "d.sqlite")
    assert not (tmp_path / "d.sqlite").exists()


def test_a_kill_leaves_all_of_the_old_or_all_of_the_new(tmp_path: Path) -> None:
    source, target = make(tmp_path / "w.sqlite"), tmp_path / "d.sqlite"
    with closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE big AS SELECT randomblob(2000000) AS b, 1 AS n")
    with closing(sqlite3.connect(target)) as connection:
        connection.executescript("CREATE TABLE old(a); INSERT INTO old VALUES (1);")
    program = (
        "import sys; from pathlib import Path\n"
        "from bindings.d1.wrangler_state import take_over\n"
        "print('begun', flush=True); take_over(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    for delay_s in (0.0, 0.01, 0.02, 0.04):
        process = subprocess.Popen(
            [sys.executable, "-c", program, source, target],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert process.stdout is not None
        with process, process.stdout:
            assert process.stdout.readline() == b"begun\n"
            try:
                process.wait(delay_s)
            except subprocess.TimeoutExpired:
                process.kill()
        names = set(user_tables(target))
        assert names == {"old"} or ("old" not in names and {"users", "big"} <= names)
        assert read(target, "PRAGMA quick_check") == [("ok",)]
