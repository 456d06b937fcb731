from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

from bindings.d1.database import D1
from emulator.errors import WorkerError
from tests.bindings.d1.calls import message, query, refusal, rows, with_d1


def test_a_query_is_answered_with_columns_rows_and_meta(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)")
        return await query(database, ("INSERT INTO t(a) VALUES (?), (?) RETURNING a", ["x", "y"]))

    (result,) = with_d1(tmp_path / "d.sqlite", work)

    duration = result["meta"].pop("duration")
    assert duration > 0 and result["meta"].pop("timings") == {"sql_duration_ms": duration}
    assert result == {
        "success": True,
        "results": {"columns": ["a"], "rows": [["x"], ["y"]]},
        "meta": {
            "served_by": "miniflare.db",
            "served_by_region": "WNAM",
            "served_by_colo": "SJC",
            "served_by_primary": True,
            "total_attempts": 1,
            "changes": 2,
            "last_row_id": 2,
            "changed_db": True,
            "size_after": 8192,
            "rows_read": 0,
            "rows_written": 2,
        },
    }


def test_a_select_repeats_the_last_row_id_and_changes_nothing(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (7)")
        return (await query(database, "SELECT id FROM t"))[0]["meta"]

    meta = with_d1(tmp_path / "d.sqlite", work)

    assert (meta["last_row_id"], meta["changes"], meta["changed_db"]) == (7, 0, False)


def test_meta_counts_every_statement_of_one_entry(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(a)")
        return await query(database, "INSERT INTO t VALUES (1), (2); DELETE FROM t WHERE a = 1")

    (result,) = with_d1(tmp_path / "d.sqlite", work)

    assert (result["meta"]["changes"], result["results"]["rows"]) == (3, [])


def test_functions_about_the_last_write_are_answered_by_the_writer(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (7)")
        return await rows(database, "SELECT last_insert_rowid(), changes()")

    assert with_d1(tmp_path / "d.sqlite", work) == [[7, 1]]


def test_changes_are_those_of_the_statement_before(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(n)", "INSERT INTO t VALUES (1), (2), (3)")
        found = await query(
            database, "UPDATE t SET n = 0", "INSERT INTO t SELECT changes()", "SELECT changes()"
        )
        return found[2]["results"]["rows"], await rows(database, "SELECT max(n) FROM t")

    assert with_d1(tmp_path / "d.sqlite", work) == ([[1]], [[3]])


def test_a_with_that_writes_is_done_once(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(a)")
        await query(database, "WITH x AS (SELECT 1 a) INSERT INTO t SELECT a FROM x")
        return await rows(database, "SELECT count(*) FROM t")

    assert with_d1(tmp_path / "d.sqlite", work) == [[1]]


def test_exec_takes_plain_sql_texts(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        return await database.call("exec", [["CREATE TABLE t(a)", "INSERT INTO t VALUES (1)"]])

    assert [result["meta"]["changes"] for result in with_d1(tmp_path / "d.sqlite", work)] == [0, 1]


@pytest.mark.parametrize(
    "entries",
    [
        ["INSERT INTO t VALUES (1)", "INSERT INTO nope VALUES (1)"],
        ["INSERT INTO t VALUES (1); INSERT INTO nope VALUES (1)"],
        ["INSERT INTO t VALUES (1)", "CREATE TABLE s(a)", "BEGIN"],
        ["INSERT INTO t VALUES (1)", ";"],
    ],
)
def test_nothing_of_a_failed_call_stays(tmp_path: Path, entries: list[str]) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(a)")
        await refusal(database, *entries)
        return await rows(
            database, "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM sqlite_schema)"
        )

    assert with_d1(tmp_path / "d.sqlite", work) == [[0, 1]]


def test_fifty_concurrent_writes_all_count(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(n INTEGER)", "INSERT INTO t VALUES (0)")
        updates = [query(database, "UPDATE t SET n = n + 1") for _ in range(50)]
        reads = [rows(database, "SELECT n FROM t") for _ in range(50)]
        await asyncio.gather(*updates, *reads)
        return await rows(database, "SELECT n FROM t")

    assert with_d1(tmp_path / "d.sqlite", work, synchronous="NORMAL") == [[50]]


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"

    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(a)", "INSERT INTO t VALUES (1)")
        writer = apsw.Connection(str(path))
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (2)")
        try:
            return await asyncio.wait_for(rows(database, "SELECT a FROM t"), 4)
        finally:
            writer.close()

    assert with_d1(path, work) == [[1]]


def test_a_list_of_reads_sees_one_moment(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(n)", "INSERT INTO t VALUES (0)")

        async def write() -> None:
            for _ in range(30):
                await query(database, "UPDATE t SET n = n + 1")

        writing = asyncio.create_task(write())
        pairs = []
        while not writing.done():
            first, second = await query(database, "SELECT n FROM t", "SELECT n FROM t")
            pairs.append(first["results"]["rows"] == second["results"]["rows"])
        await writing
        return all(pairs)

    assert with_d1(tmp_path / "d.sqlite", work, synchronous="NORMAL")


def test_what_was_written_is_read_at_once(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        await query(database, "CREATE TABLE t(n)")
        seen = []
        for n in range(20):
            await query(database, f"INSERT INTO t VALUES ({n})")
            seen.append((await rows(database, "SELECT max(n) FROM t"))[0][0])
        return seen

    assert with_d1(tmp_path / "d.sqlite", work, synchronous="NORMAL") == list(range(20))


def test_the_file_and_its_folder_appear_at_the_first_call(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "d.sqlite"

    async def work(database: D1) -> bool:
        before = path.parent.exists()
        await query(database, "SELECT 1")
        return before

    assert with_d1(path, work) is False
    assert path.is_file()


def test_data_outlives_the_binding(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    with_d1(path, lambda database: query(database, "CREATE TABLE t(a)"))

    found = with_d1(path, lambda database: rows(database, "SELECT name FROM sqlite_schema"))

    assert found == [["t"]]


def test_a_file_that_is_not_a_database_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    path.write_bytes(b"not a database" * 100)

    text = message(path, ["SELECT 1"])

    assert text == f'cannot open database "db" in {path}: file is not a database: SQLITE_NOTADB'
    assert path.read_bytes() == b"not a database" * 100


def test_a_damaged_page_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    with_d1(
        path,
        lambda database: query(
            database, "CREATE TABLE t(a)", "INSERT INTO t VALUES (hex(randomblob(9000)))"
        ),
    )
    damaged = bytearray(path.read_bytes())
    damaged[4096:8192] = b"\xff" * 4096
    path.write_bytes(damaged)

    assert message(path, ["SELECT * FROM t"]).startswith("database disk image is malformed: ")


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "cannot open database" in message(tmp_path / "file" / "d.sqlite", ["SELECT 1"])


# The limit on the size of files makes SQLite's write fail as a full disk does.
FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from bindings.d1.database import D1
from emulator.errors import WorkerError

async def main():
    database = D1(Path(sys.argv[1]), "db")
    await database.call("query", [["CREATE TABLE t(a)", "INSERT INTO t VALUES (1)"]])
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    try:
        await database.call("query", [[
            "INSERT INTO t VALUES (2)",
            "INSERT INTO t SELECT randomblob(1000000)",
        ]])
        print("no error")
    except WorkerError as error:
        print(error)
    (result,) = await database.call("query", [["SELECT a FROM t"]])
    print(result["results"]["rows"])
    await database.close()

asyncio.run(main())
"""


def test_a_full_disk_is_an_error_and_nothing_is_half_applied(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "d.sqlite")],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )

    error, left = done.stdout.splitlines()
    assert ("SQLITE_FULL" in error or "SQLITE_IOERR" in error) and left == "[[1]]", done.stderr


def test_two_processes_can_create_and_use_one_database(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from bindings.d1.database import D1\n"
        "async def main():\n"
        "    database = D1(Path(sys.argv[1]))\n"
        "    await database.call('query', [['CREATE TABLE IF NOT EXISTS t(a)']])\n"
        "    for _ in range(20):\n"
        "        await database.call('query', [['INSERT INTO t VALUES (1)']])\n"
        "    await database.close()\n"
        "asyncio.run(main())\n"
    )
    path = tmp_path / "d.sqlite"

    running = [
        subprocess.Popen([sys.executable, "-c", program, path], cwd=Path(__file__).parents[3])
        for _ in range(2)
    ]

    assert [process.wait(60) for process in running] == [0, 0]
    assert with_d1(path, lambda database: rows(database, "SELECT count(*) FROM t")) == [[40]]


def test_dump_is_answered_as_production_answers(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="404"):
        with_d1(tmp_path / "d.sqlite", lambda database: database.call("dump", []))


def test_an_unknown_method_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match='no method "nope"'):
        with_d1(tmp_path / "d.sqlite", lambda database: database.call("nope", []))
