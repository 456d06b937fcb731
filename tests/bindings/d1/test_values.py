from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindings.d1.database import D1
from bindings.sql.values import SAFE_INTEGER_MAX, to_parameter, to_rows
from emulator.errors import WorkerError
from tests.bindings.d1.calls import message, query, rows, with_d1

safe_integers = st.integers(-SAFE_INTEGER_MAX, SAFE_INTEGER_MAX)
texts = st.text(st.characters(exclude_categories=["Cs"]))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.lists(
        st.none()
        | safe_integers
        | texts
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.lists(st.integers(0, 255)),
        min_size=1,
        max_size=100,
    )
)
def test_every_value_comes_back_as_it_was_stored(tmp_path: Path, values: list[Any]) -> None:
    async def work(database: D1) -> Any:
        await rows(database, "CREATE TABLE IF NOT EXISTS v(id INTEGER PRIMARY KEY, value)")
        await rows(database, "DELETE FROM v")
        marks = ", ".join("(?)" for _ in values)
        await rows(database, f"INSERT INTO v(value) VALUES {marks}", *values)
        return await rows(database, "SELECT value FROM v ORDER BY id")

    read = with_d1(tmp_path / "d.sqlite", work, synchronous="NORMAL")

    assert read == [[value] for value in values]


def test_bytes_are_stored_as_a_blob_and_read_as_a_list(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        return await rows(database, "SELECT ?1, typeof(?1), hex(?1)", b"\x01\xff")

    assert with_d1(tmp_path / "d.sqlite", work) == [[[1, 255], "blob", "01FF"]]


def test_a_number_parameter_is_a_double_as_in_javascript(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        sql = "SELECT typeof(?1), CAST(?1 AS TEXT), ?1 / 2, json_array(?1), ?1"
        return await rows(database, sql, 5)

    assert with_d1(tmp_path / "d.sqlite", work) == [["real", "5.0", 2.5, "[5.0]", 5]]


def test_whole_numbers_outside_the_safe_range_are_doubles() -> None:
    (row,) = to_rows([(2**53 + 1, 2**53 - 1, 1.0, -0.0, 5e300, math.inf)])

    assert row == [9007199254740992.0, 2**53 - 1, 1, 0, 5e300, None]
    assert [type(cell) for cell in row[:3]] == [float, int, int]


def test_numbers_json_cannot_hold_become_null() -> None:
    assert [to_parameter(value) for value in (math.nan, math.inf, 10**400)] == [None] * 3


def test_booleans_become_one_and_zero() -> None:
    assert [to_parameter(True), to_parameter(False)] == [1, 0]


def test_a_lone_surrogate_is_replaced() -> None:
    assert to_parameter("a\ud800b") == "a\ufffdb"


@pytest.mark.parametrize("value", [{}, [256], [True], ["x"], object()])
def test_any_other_type_is_refused(value: object) -> None:
    with pytest.raises(WorkerError, match="not supported for value"):
        to_parameter(value)


def test_text_that_is_not_utf_8_is_read_with_replacements(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        read = await rows(database, "SELECT CAST(x'61ff' AS TEXT)")
        await rows(database, "CREATE TABLE t(a)")
        written = await rows(
            database, "INSERT INTO t VALUES (CAST(x'ff' AS TEXT)) RETURNING a, hex(a)"
        )
        return read, written, await rows(database, "SELECT count(*) FROM t")

    assert with_d1(tmp_path / "d.sqlite", work) == ([["a\ufffd"]], [["\ufffd", "FF"]], [[1]])


def test_named_parameters_are_bound_in_sqlite_s_order(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        return await rows(database, "SELECT :a AS p, @b AS q, $c AS r, :a AS s, ? AS t", 1, 2, 3, 4)

    assert with_d1(tmp_path / "d.sqlite", work) == [[1, 2, 3, 1, 4]]


def test_a_column_is_named_after_its_named_parameter(tmp_path: Path) -> None:
    async def work(database: D1) -> Any:
        (result,) = await query(database, ("SELECT :a, @b, $c, :a", [1, 2, 3]))
        return result["results"]

    assert with_d1(tmp_path / "d.sqlite", work) == {
        "columns": [":a", "@b", "$c", ":a"],
        "rows": [[1, 2, 3, 1]],
    }


@pytest.mark.parametrize("params", [[1], [1, 2, 3]])
def test_named_parameters_are_counted(tmp_path: Path, params: list[Any]) -> None:
    text = message(tmp_path / "d.sqlite", [("SELECT :a, :b", params)])

    assert text == "Wrong number of parameter bindings for SQL query."


def test_a_call_that_is_not_a_list_of_queries_is_refused(tmp_path: Path) -> None:
    database = D1(tmp_path / "d.sqlite")

    for args in ([[{"sql": 1}]], [[{"sql": "x", "params": "y"}]], [[3]]):
        with pytest.raises(WorkerError, match="expected SQL text"):
            asyncio.run(database.call("query", args))
