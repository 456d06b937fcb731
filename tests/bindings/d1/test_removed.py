"""A database whose file is removed or replaced under it: nothing is acknowledged any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from bindings.d1 import ruled_connection
from bindings.d1.database import D1
from bindings.sql.opening import open_connection
from tests.bindings.d1.calls import query, refusal, with_d1

SAID = "was removed or replaced while it was open"


async def opened(database: D1) -> None:
    await query(database, "CREATE TABLE t(a)", "INSERT INTO t VALUES (1)")


def remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        (path.parent / name).unlink(missing_ok=True)


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (2)", "SELECT a FROM t"])
def test_a_call_to_a_removed_database_is_refused(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "d.sqlite"

    async def work(database: D1) -> Any:
        await opened(database)
        remove(path)
        return await refusal(database, sql)

    assert f"{path} {SAID}" in with_d1(path, work)
    assert not path.exists()


def test_a_write_under_way_when_its_file_is_removed_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "d.sqlite"

    def lower(*_: object) -> None:
        remove(path)

    def with_lower(*args: Any, **options: Any) -> apsw.Connection:
        connection = open_connection(*args, **options)
        connection.create_scalar_function("lower", lower, 1)
        return connection

    monkeypatch.setattr(ruled_connection, "open_connection", with_lower)

    async def work(database: D1) -> Any:
        await opened(database)
        return await refusal(database, "INSERT INTO t VALUES (lower('A'))")

    assert SAID in with_d1(path, work)


def test_a_call_to_a_database_that_another_file_replaced_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"

    async def work(database: D1) -> Any:
        await opened(database)
        remove(path)
        with_other = D1(path, "other")
        await query(with_other, "CREATE TABLE u(a)")
        await with_other.close()
        return await refusal(database, "INSERT INTO t VALUES (2)")

    assert SAID in with_d1(path, work)
    assert path.read_bytes()


def test_a_database_whose_log_was_removed_is_refused_once_that_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"

    async def work(database: D1) -> Any:
        await opened(database)
        assert database.removed() == ""
        path.with_name("d.sqlite-wal").unlink()
        assert SAID in database.removed()
        return await refusal(database, "INSERT INTO t VALUES (2)")

    assert SAID in with_d1(path, work)


def test_the_log_stays_when_every_reader_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"

    async def work(database: D1) -> Any:
        for sql in ("SELECT 1", "SELECT 2"):
            await query(database, sql)
        await database.close_idle_readers()
        return await query(database, "CREATE TABLE t(a)")

    assert with_d1(path, work)[0]["success"] is True


def test_a_read_of_a_removed_database_is_refused_once_that_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"

    async def work(database: D1) -> Any:
        await opened(database)
        await query(database, "SELECT a FROM t")
        remove(path)
        assert SAID in database.removed()
        return await refusal(database, "SELECT a FROM t")

    assert SAID in with_d1(path, work)
    assert not path.exists()
