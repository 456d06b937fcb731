"""The protocol of workerd's D1 client, as bytes: what it sends, what it must get back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindings.d1.database import D1
from bindings.d1.http import MalformedRequest, answer, parse_entries
from bindings.http import HttpAnswer
from tests.bindings.d1.calls import with_d1
from tests.watchdog import loop_watch

QUERY = "/query?resultsFormat=ROWS_AND_COLUMNS"
EXECUTE = "/execute?resultsFormat=NONE"


def ask(path: Path, target: str, *bodies: Any, method: str = "POST") -> HttpAnswer:
    """Send `bodies` one after another and return the last answer."""

    async def work(database: D1) -> HttpAnswer:
        for body in bodies:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            found = await answer(database, method, target, {}, data)
        return found

    return with_d1(path, work)


def test_a_statement_is_answered_with_columns_and_rows(tmp_path: Path) -> None:
    found = ask(tmp_path / "d.sqlite", QUERY, {"sql": "SELECT ? AS a, 2 AS a", "params": ["x"]})

    (result,) = json.loads(found.body)
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    assert result["success"] is True
    assert result["results"] == {"columns": ["a", "a"], "rows": [["x", 2]]}
    assert result["meta"]["served_by_primary"] is True


@pytest.mark.parametrize(
    "target", [EXECUTE, "/query", "/query?resultsFormat=ARRAY_OF_OBJECTS", "/query?resultsFormat=x"]
)
def test_every_other_format_gives_one_object_per_row(tmp_path: Path, target: str) -> None:
    found = ask(tmp_path / "d.sqlite", target, {"sql": "SELECT 1 AS a, 2 AS a", "params": []})

    assert json.loads(found.body)[0]["results"] == [{"a": 2}]


def test_a_batch_is_answered_with_a_result_for_each(tmp_path: Path) -> None:
    batch = [{"sql": "CREATE TABLE t(a)"}, {"sql": "INSERT INTO t VALUES (?)", "params": [1]}]

    found = json.loads(ask(tmp_path / "d.sqlite", QUERY, batch).body)

    assert [result["meta"]["changes"] for result in found] == [0, 1]


def test_an_error_in_a_batch_is_one_failure_and_nothing_stays(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    failed = ask(path, QUERY, [{"sql": "CREATE TABLE t(a)", "params": None}, {"sql": "nope"}])
    left = ask(path, QUERY, {"sql": "SELECT count(*) FROM sqlite_schema"})

    assert failed.status == 200
    assert json.loads(failed.body) == {
        "success": False,
        "error": 'near "nope": syntax error at offset 0: SQLITE_ERROR',
    }
    assert json.loads(left.body)[0]["results"]["rows"] == [[0]]


def test_lists_are_bytes_cut_as_javascript_cuts_them(tmp_path: Path) -> None:
    params = [[1, 300, -1, 1.5, None], []]
    body = {"sql": "SELECT ?1, ?2, typeof(?2)", "params": params}

    found = json.loads(ask(tmp_path / "d.sqlite", QUERY, body).body)

    assert found[0]["results"]["rows"] == [[[1, 44, 255, 1, 0], [], "blob"]]


def test_the_bookmark_grows_with_every_write_and_stays_with_every_read(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"

    async def work(database: D1) -> list[str]:
        bodies = ["CREATE TABLE t(a)", "SELECT 1", "INSERT INTO t VALUES (1)"]
        found = []
        for sql in bodies:
            data = json.dumps({"sql": sql}).encode()
            headers = {"x-cf-d1-session-commit-token": "first-primary"}
            found.append(await answer(database, "POST", QUERY, headers, data))
        return [one.headers["x-cf-d1-session-commit-token"] for one in found]

    first, read, second = with_d1(path, work)
    path.unlink()
    later = with_d1(path, work)[0]

    assert first == read < second < later
    assert [len(part) for part in first.split("-")] == [8, 8, 8, 32]


def test_dump_is_refused_with_the_status_the_client_reports(tmp_path: Path) -> None:
    assert ask(tmp_path / "d.sqlite", "/dump", b"").status == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not json", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ({"sql": 1}, "expected"),
        (["SELECT 1"], "expected"),
        ({"sql": "SELECT ?", "params": {}}, '"params" is dict'),
        ({"sql": "SELECT ?", "params": [["x"]]}, "not a number"),
        (b'{"sql": "SELECT ?", "params": [[1e999]]}', "not a number"),
    ],
)
def test_a_body_that_is_not_the_client_s_says_what_was_expected(
    tmp_path: Path, body: Any, message: str
) -> None:
    found = ask(tmp_path / "d.sqlite", QUERY, body)

    assert found.status == 400
    assert message in json.loads(found.body)["error"]


@pytest.mark.parametrize("param", [{"a": 1}, {"a": [1]}])
def test_a_parameter_of_another_type_is_the_database_s_error(tmp_path: Path, param: Any) -> None:
    found = ask(tmp_path / "d.sqlite", QUERY, {"sql": "SELECT ?", "params": [param]})

    assert (found.status, "not supported" in found.body.decode()) == (200, True)


@pytest.mark.parametrize(
    ("method", "target", "status"), [("GET", QUERY, 405), ("POST", "/nope", 404)]
)
def test_other_methods_and_paths_are_refused(
    tmp_path: Path, method: str, target: str, status: int
) -> None:
    assert ask(tmp_path / "d.sqlite", target, b"", method=method).status == status


values = st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
queries = st.fixed_dictionaries(
    {"sql": st.text()}, optional={"params": st.none() | st.lists(values)}
)
json_values = st.recursive(values | st.booleans(), lambda inner: st.lists(inner) | queries)


@settings(deadline=None)
@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_body_raises_anything_but_its_own_error(body: bytes) -> None:
    try:
        for entry in parse_entries(body):
            assert isinstance(entry["sql"], str)
    except MalformedRequest:
        pass


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.none() | st.text() | st.integers(-(2**53) + 1, 2**53 - 1), min_size=1))
def test_values_come_back_as_they_were_sent(tmp_path: Path, sent: list[Any]) -> None:
    sent = sent[:100]
    sql = "SELECT " + ", ".join("?" * len(sent))

    found = ask(tmp_path / "d.sqlite", QUERY, {"sql": sql, "params": sent})

    expected = [
        value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(value, str)
        else value
        for value in sent
    ]
    assert json.loads(found.body)[0]["results"]["rows"] == [expected]


@pytest.mark.parametrize("target", [QUERY, EXECUTE])
def test_a_large_result_holds_nobody_up(tmp_path: Path, target: str) -> None:
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
        " SELECT i, i / 7.0 AS part, 'row ' || i AS name FROM n"
    )

    async def work(database: D1) -> HttpAnswer:
        await answer(database, "POST", target, {}, b'{"sql": "SELECT 1"}')
        with loop_watch():
            return await answer(database, "POST", target, {}, json.dumps({"sql": sql}).encode())

    (result,) = json.loads(with_d1(tmp_path / "d.sqlite", work).body)

    rows = result["results"]["rows"] if target == QUERY else result["results"]
    assert len(rows) == 200_000
