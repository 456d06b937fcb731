from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.d1.script import SEVERAL_TRANSACTIONS, script_statements
from bindings.d1.splitter import number_variables, split_statements, tokens
from emulator.errors import UsageError

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
    connection = sqlite3.connect(":memory:")
    try:
        for statement in split_statements(sql):
            try:
                connection.execute(statement.text)
            except sqlite3.ProgrammingError as error:
                assert "one statement" not in str(error)
            except sqlite3.Error:
                pass
    finally:
        connection.close()


def test_the_keyword_is_the_first_word_after_comments() -> None:
    (statement,) = split_statements("  -- c\n/* d */ select 1")

    assert statement.keyword == "SELECT"


def test_named_parameters_get_the_number_sqlite_gives_them() -> None:
    assert number_variables("?, :a, ?5, @b, :a, ':c' -- $d") == "?, ?2, ?5, ?6, ?2, ':c' -- $d"


def test_a_dump_s_own_transaction_is_left_out() -> None:
    sql = f"BEGIN TRANSACTION;\nCREATE TABLE t(a);\n{TRIGGER}\nCOMMIT;\n-- the end"

    assert script_statements(sql) == ["CREATE TABLE t(a);", TRIGGER]


def test_several_transactions_in_a_file_are_refused() -> None:
    with pytest.raises(UsageError) as caught:
        script_statements("BEGIN TRANSACTION; COMMIT; BEGIN TRANSACTION; COMMIT;")

    assert str(caught.value) == SEVERAL_TRANSACTIONS
