from __future__ import annotations

import asyncio
import re
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.d1.script import SEVERAL_TRANSACTIONS, read_script, script_statements
from bindings.sql.splitter import is_empty, split_statements, tokens
from emulator.errors import UsageError
from tests.watchdog import loop_watch

TRIGGER = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET a = 1; DELETE FROM t; END;"
fragments = st.lists(
    st.sampled_from(
        ["'", '"', "`", "[", "]", ";", "--", "/*", "*/", "\n", " ", "a", "1", "?", ":x", "é", "'';"]
    )
)


@given(fragments.map("".join) | st.text())
def test_tokens_lose_nothing(sql: str) -> None:
    assert "".join(token.text for token in tokens(sql)) == sql


@given(
    st.lists(st.sampled_from(["SELECT ';'", 'SELECT ";" --;\n', "/*;*/ SELECT 1", TRIGGER[:-1]]))
)
def test_statements_joined_by_semicolons_are_found_again(statements: list[str]) -> None:
    script = ";\n".join(statements)

    assert script_statements(script) == [
        (text + ";" if index < len(statements) - 1 else text.strip())
        for index, text in enumerate(statements)
    ]


@given(fragments.map("".join))
def test_sqlite_agrees_that_a_piece_is_at_most_one_statement(sql: str) -> None:
    found: list[str] = []

    def note(_: object, statement: str, __: object) -> bool:
        found.append(statement)
        return True

    with closing(apsw.Connection(":memory:")) as connection:
        connection.exec_trace = note
        for statement in split_statements(sql):
            found.clear()
            try:
                connection.execute(statement.text, [None] * 9)
            except apsw.Error:
                pass
            assert len(found) <= 1


@given(statements=fragments.map("".join))
def test_sqlite_agrees_where_a_trigger_ends(statements: str) -> None:
    sql = f"CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1;{statements}; END; SELECT 2"
    first = split_statements(sql)[0].text
    complete = [end for end in range(1, len(sql) + 1) if sql[end - 1] == ";"]

    ends = [end for end in complete if apsw.complete(sql[:end])]

    assert first == (sql[: ends[0]] if ends else sql)


def test_the_keyword_is_the_first_word_after_comments() -> None:
    (statement,) = split_statements("  -- c\n/* d */ select 1")

    assert statement.keyword == "SELECT"


@pytest.mark.parametrize(
    "sql",
    [
        "\n" * 99_000,
        ";" * 99_000,
        f"CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1{';' * 90_000} END;",
        "a;" * 49_000,
        "--\n" * 33_000 + ";;",
        "$a(" * 33_000,
        "'" * 99_999,
        "/*" * 49_000,
    ],
    ids=lambda sql: sql[:4],
)
def test_each_character_is_looked_at_once(sql: str) -> None:
    # Looking at the whole text again for each of them took 10 to 90 seconds.
    asyncio.run(take_apart(sql))


async def take_apart(sql: str) -> None:
    with loop_watch(limit_ms=2_000):
        split_statements(sql)
        is_empty(sql)
        list(tokens(sql))


def test_the_text_is_over_at_a_nul() -> None:
    found = [(part.text, part.keyword) for part in split_statements("select 1;\0 select 2")]

    assert found == [("select 1;", "SELECT"), ("", "")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"SELECT 1;\nSELECT 'a\0b'", "file.sql: line 2 has a NUL character"),
        (b"SELECT '\xff'", "file.sql: byte 8 is not UTF-8 text"),
        ("SELECT 1".encode("utf-16"), "file.sql: byte 0 is not UTF-8 text"),
    ],
)
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "file.sql").write_bytes(data)

    with pytest.raises(UsageError, match=re.escape(expected)):
        read_script(tmp_path / "file.sql")


def test_a_dump_s_own_transaction_is_left_out() -> None:
    sql = f"BEGIN TRANSACTION;\nCREATE TABLE t(a);\n{TRIGGER}\nCOMMIT;\n-- the end"

    assert script_statements(sql) == ["CREATE TABLE t(a);", TRIGGER]


def test_several_transactions_in_a_file_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        script_statements("BEGIN TRANSACTION; COMMIT; BEGIN TRANSACTION; COMMIT;")

    assert str(caught.value) == SEVERAL_TRANSACTIONS
