from __future__ import annotations

import pytest

from emulator.config.problems import Fault
from emulator.config.toml_lines import find_lines
from emulator.config.toml_source import parse_toml
from tests.config.project import Project


def fault(text: str) -> Fault:
    with pytest.raises(Fault) as caught:
        parse_toml(text)
    return caught.value


def test_lines_of_tables_arrays_of_tables_and_dotted_keys() -> None:
    text = (
        "a = 1\n[t.u]\nb.c = 2\n[[list]]\nx = 1\n[[list]]\ny = 2\n[list.sub]\nz = 3\n[[list.in]]\n"
    )

    assert find_lines(text) == {
        ("a",): 1,
        ("t",): 2,
        ("t", "u"): 2,
        ("t", "u", "b"): 3,
        ("t", "u", "b", "c"): 3,
        ("list",): 4,
        ("list", 0): 4,
        ("list", 0, "x"): 5,
        ("list", 1): 6,
        ("list", 1, "y"): 7,
        ("list", 1, "sub"): 8,
        ("list", 1, "sub", "z"): 9,
        ("list", 1, "in"): 10,
        ("list", 1, "in", 0): 10,
    }


def test_keys_inside_strings_and_comments_are_not_keys() -> None:
    text = 's = """\n[no]\nno = 1\n"""\nt = \'\'\'\nno = 2\'\'\'\n# no = 3\nu = "a # b"\n'

    assert find_lines(text) == {("s",): 1, ("t",): 5, ("u",): 8}


def test_strings_that_end_in_quotes_of_their_own_are_walked_over() -> None:
    text = 'a = """x"""""\nb = \'\'\'y\'\'\'\'\nc = "\\""\nd = ""\n'

    assert find_lines(text) == {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 4}


def test_lines_inside_arrays_and_inline_tables() -> None:
    text = "a = [\n  1,\n  # two\n  { b = 2, c = [3] },\n]\nd = 1979-05-27 07:32:00 # when\n"

    assert find_lines(text) == {
        ("a",): 1,
        ("a", 0): 2,
        ("a", 1): 4,
        ("a", 1, "b"): 4,
        ("a", 1, "c"): 4,
        ("a", 1, "c", 0): 4,
        ("d",): 6,
    }


def test_quoted_keys_are_unquoted() -> None:
    assert find_lines('"a.b" = 1\n["\\u0041".\'c d\']\n') == {
        ("a.b",): 1,
        ("A",): 2,
        ("A", "c d"): 2,
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "fix"),
    [
        ("a = 1\nb = hello\n", 2, 5, "Put text in quotes"),
        ("a = 1\na = 2\n", 2, 6, "given twice"),
        ("[a]\n[a]\n", 2, 3, "opened twice"),
        ("a\n", 1, 2, "key = value"),
        ('a = "x\n', 1, 7, "Close the string"),
        ("a = [1, 2\n", 2, 1, "Close the array"),
        ('a = "C:\\path"\n', 1, 10, "backslash"),
        ("a = 1 2\n", 1, 7, "on its own line"),
    ],
)
def test_a_syntax_error_has_a_place_and_a_way_out(
    text: str, line: int, column: int, fix: str
) -> None:
    error = fault(text)

    assert (error.line, error.column) == (line, column)
    assert fix in error.fix


def test_a_syntax_error_reaches_the_report_with_its_place(project: Project) -> None:
    project.toml("[vars]\nA = no\n")

    assert project.problem().startswith("wrangler.toml:6:5: TOML syntax: invalid value")


def test_deep_nesting_is_a_fault_and_no_crash() -> None:
    assert "nested" in fault("a = " + "[" * 5_000 + "]" * 5_000).text


def test_a_number_of_five_thousand_digits_is_a_fault_with_its_line() -> None:
    error = fault("a = 1\nb = " + "9" * 5_000)

    assert (error.line, error.text) == (
        2,
        "a number has too many digits; expected a 64-bit integer",
    )


def test_infinity_is_refused_with_its_key_and_line() -> None:
    error = fault("[vars]\nA = [1, inf]")

    assert (error.line, error.text) == (2, "vars.A[1] is inf; expected a finite number")
