"""The storage of one object: keys, transactions, SQL, what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from bindings.durable_objects.alarms import Alarm, marked
from bindings.durable_objects.storage import Storage
from bindings.durable_objects.syncing import Syncing
from bindings.durable_objects.user_sql import TooSlow
from emulator.errors import WorkerError
from tests.bindings.durable_objects.calls import TEXTS, ran, storage

LONG = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 400000)"
    " INSERT INTO t SELECT max(x) FROM c"
)


@pytest.fixture
def syncing() -> Iterator[Syncing]:
    made = Syncing()
    yield made
    made.close()


@pytest.fixture
def opened(tmp_path: Path, syncing: Syncing) -> Iterator[Storage]:
    made = storage(tmp_path, syncing)
    yield made
    made.close()


def rows(opened: Storage, sql: str, *params: Any) -> Any:
    return ran(opened, sql, *params)[1]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("", None, False, None), ["a", "b", "b\0", "ä"]),
        (("", None, True, None), ["ä", "b\0", "b", "a"]),
        (("b", "ä", False, None), ["b", "b\0"]),
        (("", "b", False, 1), ["a"]),
        (("c", None, False, None), ["ä"]),
    ],
)
def test_keys_are_listed_by_the_bytes_of_their_text(
    opened: Storage, asked: tuple[Any, ...], found: list[str]
) -> None:
    opened.call("commit", [TEXTS])
    assert [key for key, _ in opened.call("list", list(asked))] == found


def test_what_was_not_committed_is_gone(tmp_path: Path, syncing: Syncing) -> None:
    before = storage(tmp_path, syncing)
    before.call("commit", [[["kept", "1"]]])
    before.call("write", [[["lost", "1"], ["kept", None]]])
    ran(before, "CREATE TABLE lost (x)")
    before.close()

    after = storage(tmp_path, syncing)
    assert after.call("get", [["kept", "lost"]]) == ["1", None]
    assert rows(after, "SELECT name FROM sqlite_schema WHERE name = 'lost'") == []
    after.close()


def test_a_savepoint_undoes_keys_and_tables_and_the_rest_is_kept(opened: Storage) -> None:
    opened.call("write", [[["a", "1"]]])
    for _ in range(2):
        opened.call("savepoint", [])
        opened.call("write", [[["a", "2"]]])
        opened.call("set_alarm", [5])
    opened.call("roll_back", [])
    opened.call("commit", [[]])  # the outer one goes on
    opened.call("roll_back", [])
    opened.call("commit", [[]])

    opened.abandon()
    assert opened.call("get", [["a"]]) == ["1"]
    assert opened.alarm() is None


def test_sql_answers_rows_columns_and_their_count(opened: Storage) -> None:
    rows(opened, "CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    sql = "INSERT INTO t (x) VALUES (?), (?), (?) RETURNING id, x"
    columns, found, _, written, changed = ran(opened, sql, 1.5, None, b"\x00")
    assert (columns, written, changed) == (["id", "x"], 3, True)
    assert found == [[1, 1.5], [2, None], [3, b"\x00"]]
    assert opened.call("exec", ["SELECT id FROM t", []])[2:] == [3, 0, False]


@pytest.mark.parametrize(
    ("sql", "params", "message"),
    [
        ("SELEC 1", [], "syntax error"),
        ("BEGIN", [], "state.storage.transaction"),
        ("SELECT * FROM _cf_KV", [], "access to _cf_KV.key is prohibited|not authorized"),
        ("SELECT ?", [], "Wrong number of parameter bindings"),
        ("SELECT ?; SELECT 1", [1], "Wrong number|only the last statement"),
        ("", [], "No SQL statements"),
        ("ATTACH 'x' AS y", [], "not authorized"),
    ],
)
def test_sql_that_may_not_run_is_refused_in_production_s_words(
    opened: Storage, sql: str, params: list[Any], message: str
) -> None:
    with pytest.raises(WorkerError, match=message):
        opened.call("exec", [sql, params])


def test_a_long_query_leaves_the_loop_and_is_done_once(opened: Storage) -> None:
    rows(opened, "CREATE TABLE t (x)")
    opened.call("commit", [[]])
    with pytest.raises(TooSlow):
        opened.call("exec", [LONG, []])
    assert rows(opened, "SELECT count(*) FROM t") == [[0]]

    opened.call_long("exec", [LONG, []])
    assert rows(opened, "SELECT x FROM t") == [[400_000]]


def test_delete_all_leaves_nothing_but_the_alarm_if_it_is_to_stay(opened: Storage) -> None:
    opened.call("commit", [TEXTS])
    opened.call("set_alarm", [7])
    rows(opened, "CREATE TABLE p (x PRIMARY KEY); CREATE TABLE c (y REFERENCES p)")
    rows(opened, "CREATE VIEW v AS SELECT * FROM p")
    rows(opened, "CREATE VIRTUAL TABLE f USING fts5(z)")
    rows(opened, "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1)")
    opened.call("delete_all", [False])
    opened.call("commit", [[]])

    assert opened.call("list", ["", None, False, None]) == []
    assert opened.alarm() == Alarm(7, 7, 0)
    assert rows(opened, "PRAGMA table_list") != []
    names = rows(opened, "SELECT name FROM sqlite_schema WHERE name IN ('p', 'c', 'v', 'f')")
    assert names == []


def test_a_class_without_sqlite_has_no_sql(tmp_path: Path, syncing: Syncing) -> None:
    old = storage(tmp_path, syncing, has_sql=False)
    with pytest.raises(WorkerError, match="new_sqlite_classes"):
        old.call("exec", ["SELECT 1", []])
    old.call("commit", [TEXTS])
    assert old.call("get", [["a"]]) == ["1"]
    old.close()


def test_one_sync_makes_all_commits_before_it_durable(tmp_path: Path) -> None:
    async def scenario() -> None:
        syncing = Syncing()
        opened = storage(tmp_path, syncing)
        for n in range(50):
            opened.call("commit", [[["n", str(n)]]])
        assert opened.is_behind
        await asyncio.gather(*(opened.durable() for _ in range(20)))
        assert not opened.is_behind
        opened.close()
        syncing.close()

    asyncio.run(scenario())
    found = apsw.Connection(str(tmp_path / "object.sqlite"))
    assert found.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_an_alarm_is_found_at_a_start_with_its_failures(tmp_path: Path, syncing: Syncing) -> None:
    told: list[int | None] = []
    before = storage(tmp_path, syncing, name="a name", alarm_changed=told.append)
    before.call("set_alarm", [5])
    assert told == [] and list(marked(tmp_path)) == []
    before.call("commit", [[]])
    before.begin_ringing()
    assert before.call("get_alarm", []) is None
    before.end_ringing(2_005)
    before.close()

    (found,) = marked(tmp_path)
    assert (found.id, found.name, found.alarm) == ("object", "a name", Alarm(5, 2_005, 1))
    assert told == [5, 2_005]

    after = storage(tmp_path, syncing)
    after.begin_ringing()
    after.call("set_alarm", [9])  # by its own handler: this one stays
    after.call("commit", [[]])
    after.end_ringing(None)
    assert after.alarm() == Alarm(9, 9, 0)
    after.begin_ringing()
    after.end_ringing(None)
    after.close()
    assert list(marked(tmp_path)) == []
