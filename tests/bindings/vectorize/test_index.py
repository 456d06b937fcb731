"""What a worker sees of an index: shapes, rules and errors."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from bindings.vectorize.vectorize import Vectorize
from emulator.clock import VirtualClock
from emulator.errors import WorkerError

from .conftest import Session

Call = Callable[..., Any]

EAST = {"id": "east", "values": [1.0, 0.0]}
NORTH = {"id": "north", "values": [0.0, 1.0], "namespace": "poles", "metadata": {"cold": True}}
NORTHEAST = {"id": "northeast", "values": [1.0, 1.0], "metadata": {"name": "between", "rank": 2}}


def ids(result: Any) -> list[str]:
    return [match["id"] for match in result["matches"]]


def test_a_mutation_answers_with_the_id_that_describe_names_as_processed(session: Session) -> None:
    index = session.index(clock=VirtualClock(1_700_000_000_123))

    reply = session.call(index, "insert", [EAST, NORTH])

    assert str(uuid.UUID(reply["mutationId"])) == reply["mutationId"]
    assert session.call(index, "describe") == {
        "vectorCount": 2,
        "dimensions": 2,
        "processedUpToDatetime": "2023-11-14T22:13:20.123Z",
        "processedUpToMutation": reply["mutationId"],
    }


def test_an_empty_index_describes_itself_and_answers_queries(call: Call) -> None:
    assert call("describe")["vectorCount"] == 0
    assert call("query", [1, 2, 3]) == {"count": 0, "matches": []}


def test_cosine_ranks_by_similarity_and_shows_no_more_than_asked(call: Call) -> None:
    call("insert", [EAST, NORTH, NORTHEAST])

    result = call("query", [1, 0])

    assert result["count"] == 3
    assert result["matches"] == [
        {"id": "east", "score": 1.0},
        {"id": "northeast", "score": pytest.approx(0.5**0.5)},
        {"id": "north", "score": 0.0, "namespace": "poles"},
    ]


def test_euclidean_ranks_by_distance(session: Session) -> None:
    index = session.index(metric="euclidean")
    session.call(index, "insert", [EAST, NORTH, NORTHEAST])

    matches = session.call(index, "query", [1, 0])["matches"]

    assert [(match["id"], match["score"]) for match in matches] == [
        ("east", 0.0),
        ("northeast", 1.0),
        ("north", pytest.approx(2**0.5)),
    ]


def test_dot_product_scores_are_negative_products_and_the_smallest_is_best(
    session: Session,
) -> None:
    index = session.index(metric="dot-product")
    session.call(index, "insert", [EAST, NORTH, {"id": "far", "values": [10, 0]}])

    matches = session.call(index, "query", [2, 0])["matches"]

    assert [(match["id"], match["score"]) for match in matches] == [
        ("far", -20.0),
        ("east", -2.0),
        ("north", 0.0),
    ]


def test_equal_scores_are_ordered_by_id_wherever_the_rows_lie(call: Call) -> None:
    values = [0.1 * n for n in range(1, 100)]
    names = [f"v{n:03}" for n in range(500)]
    call("insert", [{"id": name, "values": values} for name in reversed(names)])

    assert ids(call("query", values, {"topK": 20})) == names[:20]


def test_values_come_back_rounded_to_32_bits(call: Call) -> None:
    call("insert", [{"id": "a", "values": [58.8]}])

    assert call("getByIds", ["a"]) == [{"id": "a", "values": [58.79999923706055]}]
    assert call("query", [1], {"returnValues": True})["matches"][0]["values"] == [58.79999923706055]


def test_insert_keeps_what_is_there_and_upsert_replaces_it_wholly(call: Call) -> None:
    call("insert", [NORTH])

    call("insert", [{"id": "north", "values": [5, 5]}])
    assert call("getByIds", ["north"]) == [NORTH]
    call("upsert", [{"id": "north", "values": [5, 5]}])
    assert call("getByIds", ["north"]) == [{"id": "north", "values": [5.0, 5.0]}]


def test_of_two_equal_ids_in_a_batch_insert_takes_the_first_and_upsert_the_last(call: Call) -> None:
    twins = [{"id": "a", "values": [1.0]}, {"id": "a", "values": [2.0]}]

    call("insert", twins)
    assert call("getByIds", ["a"])[0]["values"] == [1.0]
    call("upsert", twins)
    assert call("getByIds", ["a"])[0]["values"] == [2.0]


def test_unknown_ids_are_left_out_and_the_order_asked_for_is_kept(call: Call) -> None:
    call("insert", [EAST, NORTH])

    found = call("getByIds", ["north", "nowhere", "east"])

    assert [vector["id"] for vector in found] == ["north", "east"]


def test_deleted_vectors_are_gone_from_queries_and_unknown_ids_do_not_matter(call: Call) -> None:
    call("insert", [EAST, NORTH, NORTHEAST])
    call("query", [1, 0])

    call("deleteByIds", ["east", "nowhere"])

    assert ids(call("query", [1, 0])) == ["northeast", "north"]


def test_changes_after_a_query_are_seen_by_the_next(call: Call) -> None:
    call("insert", [EAST])
    call("query", [1, 0])

    call("upsert", [NORTH, {"id": "east", "values": [-1.0, 0.0]}])

    assert ids(call("query", [1, 0])) == ["north", "east"]


def test_query_by_id_includes_the_vector_itself(call: Call) -> None:
    call("insert", [EAST, NORTH])

    assert ids(call("queryById", "north", {"topK": 1})) == ["north"]


def test_query_by_an_unknown_id_is_an_error(call: Call) -> None:
    with pytest.raises(WorkerError, match=r"^VECTOR_QUERY_ERROR \(code = \d+\): .*not found"):
        call("queryById", "nowhere")


def test_a_namespace_restricts_a_query_and_none_searches_all(call: Call) -> None:
    call("insert", [EAST, NORTH, NORTHEAST])

    assert ids(call("query", [1, 0], {"namespace": "poles"})) == ["north"]
    assert call("query", [1, 0], {"namespace": "oceans"})["count"] == 0


def test_a_zero_vector_is_similar_to_nothing(call: Call) -> None:
    call("insert", [EAST, {"id": "zero", "values": [0, 0]}])

    assert call("query", [0, 0])["matches"] == [
        {"id": "east", "score": 0.0},
        {"id": "zero", "score": 0.0},
    ]


def test_return_metadata_all_shows_everything_and_indexed_what_an_index_holds(
    session: Session,
) -> None:
    index = session.index(metadata_indexes={"long": "string", "deep.x": "number"})
    metadata = {"long": "é" * 40, "deep": {"x": 1}, "tags": ["a"], "n": 2}
    session.call(index, "insert", [{"id": "a", "values": [1], "metadata": metadata}])

    def shown(mode: object) -> Any:
        result = session.call(index, "query", [1], {"returnMetadata": mode})
        return result["matches"][0]["metadata"]

    assert shown(True) == metadata
    assert shown("indexed") == {"long": "é" * 32, "deep.x": 1}


def test_return_metadata_false_is_refused_as_in_production(session: Session) -> None:
    index = session.index(dimensions=1)

    text = "VECTOR_QUERY_ERROR (code = 40026): Failed to parse the request body as JSON: "
    with pytest.raises(WorkerError, match=re.escape(f"{text}returnMetadata: expected value")):
        session.call(index, "query", [1], {"returnMetadata": False})


def test_dimensions_come_from_the_first_insert_and_are_announced_once(session: Session) -> None:
    index = session.index()

    session.call(index, "insert", [EAST])
    session.call(index, "insert", [NORTH])

    assert len(session.announcements) == 1
    assert "wrangler vectorize create skills --dimensions=2" in session.announcements[0]


def test_a_configured_index_announces_nothing(session: Session) -> None:
    session.call(session.index(dimensions=2, metric="cosine"), "insert", [EAST])

    assert session.announcements == []


@pytest.mark.parametrize(
    ("method", "argument", "options", "message"),
    [
        (
            "query",
            [1, 2, 3],
            None,
            r"VECTOR_QUERY_ERROR \(code = 40006\): invalid query vector, expected 2 dimensions, "
            "and got 3 dimensions",
        ),
        (
            "query",
            [[1.0, 2.0]],
            None,
            r"VECTOR_QUERY_ERROR \(code = 40006\): .*with an array; pass",
        ),
        ("query", None, None, r"VECTOR_QUERY_ERROR \(code = 40006\): .*got nothing"),
        ("query", [1, 0], {"topK": 101}, r"\(code = 40025\): max top K is 100, but got 101"),
        (
            "query",
            [1, 0],
            {"topK": 51, "returnValues": True},
            r"40025\): with returnValues=true or returnMetadata=all, max top K is 50, but got 51",
        ),
        ("query", [1, 0], {"topK": 0}, "min top K is 1"),
        ("query", [1, 0], {"topK": "5"}, "expected topK to be a whole number"),
        ("query", [1, 0], {"returnMetadata": "some"}, "^Invalid returnMetadata option. Expected"),
        ("query", [1, 0], {"filter": {}}, "invalid filter: expected a non-empty object"),
        ("query", [1, 0], {"filter": {"$or": []}}, "must not start with"),
        ("query", [1, 0], {"filter": {"a": {"$like": "x"}}}, "is not an operator"),
        ("query", [1, 0], {"filter": {"a": {"$gt": 1, "$gte": 1}}}, "combines"),
        ("query", [1, 0], {"filter": {"a": "x" * 2048}}, "less than 2048 bytes"),
        (
            "insert",
            [{"id": "x", "values": [1, 2, 3]}],
            None,
            r'VECTOR_INSERT_ERROR \(code = 40012\): invalid vector for id="x", expected 2 '
            "dimensions, and got 3 dimensions",
        ),
        ("upsert", [{"id": "x", "values": []}], None, "VECTOR_UPSERT_ERROR.*got 0 dimensions"),
        ("upsert", [{"id": "x" * 65, "values": [1, 2]}], None, "id too long; max is 64 bytes"),
        ("upsert", [{"values": [1, 2]}], None, "expected an id"),
        (
            "upsert",
            [{"id": "x", "values": [1, 2], "metadata": "m"}],
            None,
            r"VECTOR_UPSERT_ERROR \(code = 40023\): failed to parse upsert vectors request in json "
            r'format: invalid metadata for id="x"',
        ),
        (
            "insert",
            [{"id": "x", "values": [1, 2], "metadata": {"m": "x" * 10_240}}],
            None,
            r"VECTOR_INSERT_ERROR \(code = 40016\): invalid metadata for id=\"x\": max is 10240",
        ),
        ("upsert", [{"id": "x", "values": [1, "2"]}], None, "an array with a string"),
        ("upsert", [{"id": "x", "values": [1, True]}], None, "an array with a boolean"),
        ("upsert", [{"id": "x", "values": [1, float("nan")]}], None, "not a finite 32-bit number"),
        ("upsert", [{"id": "x", "values": [1, 10**5000]}], None, "not a finite 32-bit number"),
        ("upsert", [{"id": "x", "values": [1, 2], "metadata": {"a.b": 1}}], None, "has no dot"),
        (
            "upsert",
            [{"id": "x", "values": [1, 2], "metadata": {"a": "x" * 10240}}],
            None,
            "max is 10240 bytes",
        ),
        (
            "upsert",
            [{"id": "x", "values": [1, 2], "metadata": {"a": {"b": {"c": 1}}}}],
            None,
            "one level of these",
        ),
        ("upsert", [{"id": "\ud835", "values": [1, 2]}], None, "half of a surrogate pair"),
        ("upsert", {"id": "x"}, None, "expected an array of vectors, and got an object"),
        ("upsert", [EAST] * 1001, None, "too many vectors in payload; max vector count is 1000"),
        (
            "getByIds",
            ["x"] * 21,
            None,
            r"VECTOR_GET_ERROR \(code = 40007\): too many ids in payload; max id count is 20, "
            "got 21",
        ),
        ("deleteByIds", ["x"] * 101, None, "VECTOR_DELETE_ERROR.*max id count is 100, got 101"),
        ("deleteByIds", "x", None, "expected an array of strings, and got a string"),
        ("list", None, None, "list is not a method of a Vectorize binding"),
    ],
)
def test_bad_input_is_refused_in_productions_words(
    session: Session, method: str, argument: Any, options: Any, message: str
) -> None:
    index = session.index(dimensions=2)

    with pytest.raises(WorkerError, match=message):
        session.call(index, method, argument, options)


def test_one_bad_vector_refuses_the_whole_batch(call: Call) -> None:
    call("insert", [EAST])

    with pytest.raises(WorkerError):
        call("upsert", [NORTH, {"id": "bad", "values": [1, 2, 3]}])

    assert call("getByIds", ["north"]) == []


def test_vectors_and_their_settings_survive_a_restart(session: Session) -> None:
    first = session.index(metric="euclidean")
    session.call(first, "insert", [EAST, NORTH])
    session.close_binding(first)

    again = session.index()

    assert session.call(again, "getByIds", ["north"]) == [NORTH]
    assert session.call(again, "query", [1, 0])["matches"][0] == {"id": "east", "score": 0.0}
    session.announcements.clear()
    session.call(again, "insert", [NORTHEAST])
    assert session.announcements == []


def test_a_file_of_the_first_format_is_taken_over(session: Session) -> None:
    session.path.parent.mkdir()
    with sqlite3.connect(session.path) as old:
        old.executescript(
            "CREATE TABLE settings (only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
            " dimensions INTEGER, metric TEXT, revision INTEGER NOT NULL, mutation_id TEXT,"
            " mutated_at_ms INTEGER);"
            "INSERT INTO settings VALUES (1, 2, 'euclidean', 7, 'm', 5);"
            "CREATE TABLE vectors (id TEXT PRIMARY KEY, vector BLOB NOT NULL, namespace TEXT,"
            " metadata TEXT);"
            "INSERT INTO vectors VALUES ('north', x'000000000000803f', 'poles', '{\"cold\":true}');"
            "PRAGMA user_version = 1"
        )
    old.close()

    index = session.index(metadata_indexes={"cold": "boolean"})

    assert session.call(index, "getByIds", ["north"]) == [NORTH]
    assert session.call(index, "describe")["processedUpToMutation"] == "m"
    found = session.call(index, "query", [0, 2], {"filter": {"cold": True}})
    assert found["matches"] == [{"id": "north", "score": 1.0, "namespace": "poles"}]


def test_with_a_lag_mutations_are_seen_later_in_the_order_they_were_made(
    session: Session,
) -> None:
    clock = VirtualClock(1_000)
    index = session.index(visibility_lag_ms=2_000, clock=clock)

    session.call(index, "insert", [EAST, NORTH])
    clock.advance(1_000)
    last = session.call(index, "deleteByIds", ["east"])["mutationId"]

    assert session.call(index, "describe")["vectorCount"] == 0
    assert session.call(index, "query", [1, 0])["count"] == 0
    clock.advance(1_000)
    assert ids(session.call(index, "query", [1, 0])) == ["east", "north"]
    assert session.call(index, "describe")["processedUpToMutation"] != last
    clock.advance(1_000)
    assert ids(session.call(index, "query", [1, 0])) == ["north"]
    described = session.call(index, "describe")
    assert described["processedUpToMutation"] == last
    assert described["processedUpToDatetime"] == "1970-01-01T00:00:04.000Z"


def test_what_waits_to_be_seen_survives_a_restart_and_the_end_of_the_lag(
    session: Session,
) -> None:
    first = session.index(visibility_lag_ms=60_000)
    session.call(first, "insert", [EAST])
    session.close_binding(first)

    assert session.call(session.index(), "describe")["vectorCount"] == 1


def test_other_dimensions_in_the_configuration_than_in_the_file_are_an_error(
    session: Session,
) -> None:
    session.call(session.index(), "insert", [EAST])

    with pytest.raises(WorkerError, match="holds vectors of 2 dimensions, but it is configured"):
        session.call(session.index(dimensions=3), "query", [1, 2, 3])


def test_an_emptied_index_takes_newly_configured_dimensions(session: Session) -> None:
    first = session.index()
    session.call(first, "insert", [EAST])
    session.call(first, "deleteByIds", ["east"])

    second = session.index(dimensions=3)
    session.call(second, "insert", [{"id": "a", "values": [1, 2, 3]}])

    assert session.call(second, "describe")["dimensions"] == 3


def test_two_bindings_on_one_file_see_each_others_changes(session: Session) -> None:
    one, other = session.index(), session.index()
    session.call(one, "insert", [EAST])
    session.call(other, "query", [1, 0])

    session.call(one, "insert", [NORTH])
    session.call(other, "insert", [NORTHEAST])

    assert ids(session.call(one, "query", [1, 0])) == ["east", "northeast", "north"]
    assert ids(session.call(other, "query", [1, 0])) == ["east", "northeast", "north"]


def test_concurrent_calls_all_take_effect(session: Session) -> None:
    index = session.index()

    async def work() -> Any:
        await asyncio.gather(
            *(index.call("insert", [[{"id": f"v{n}", "values": [n, 1]}]]) for n in range(50)),
            *(index.call("query", [[n, 1]]) for n in range(50)),
        )
        return await index.call("describe", [])

    assert session.run(work())["vectorCount"] == 50


def test_what_was_acknowledged_is_there_after_a_kill(session: Session) -> None:
    writer = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from bindings.vectorize.vectorize import Vectorize\n"
        "async def main():\n"
        "    index = Vectorize(Path(sys.argv[1]), 'skills')\n"
        "    for n in range(10_000):\n"
        "        await index.call('insert', [[{'id': f'v{n}', 'values': [n, 1]}]])\n"
        "        print(n, flush=True)\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", writer, str(session.path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        acknowledged = [int(process.stdout.readline()) for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)

    found = session.call(session.index(), "getByIds", [f"v{n}" for n in acknowledged])

    assert [vector["id"] for vector in found] == [f"v{n}" for n in acknowledged]


def test_a_file_that_is_not_a_database_is_named_in_the_error(session: Session) -> None:
    session.path.parent.mkdir()
    session.path.write_bytes(b"not a database, but long enough to be taken for one" * 20)

    with pytest.raises(WorkerError, match=r"VECTOR_INSERT_ERROR .*skills\.sqlite"):
        session.call(session.index(), "insert", [EAST])


def test_a_file_of_a_newer_format_is_refused_and_left_alone(session: Session) -> None:
    session.call(session.index(), "insert", [EAST])
    with sqlite3.connect(session.path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()

    with pytest.raises(WorkerError, match="written by a newer Groundfog"):
        session.call(session.index(), "query", [1, 0])


def test_numpy_is_not_imported_before_the_first_query() -> None:
    program = "import sys, bindings.vectorize; print('numpy' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


def test_the_kind_is_the_one_guests_know() -> None:
    assert Vectorize.kind == "vectorize"
