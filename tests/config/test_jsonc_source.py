from __future__ import annotations

import pytest

from emulator.config.jsonc_source import parse_jsonc
from emulator.config.problems import Fault
from tests.config.project import Project


def fault(text: str) -> Fault:
    with pytest.raises(Fault) as caught:
        parse_jsonc(text)
    return caught.value


def test_comments_and_trailing_commas_are_accepted() -> None:
    text = '// head\n{ /* a */ "a": [1, 2,], // b\n "b": {"c": null,},\n}\n// end'

    assert parse_jsonc(text).data == {"a": [1, 2], "b": {"c": None}}


def test_comment_marks_inside_strings_are_text() -> None:
    assert parse_jsonc('{"url": "https://x/*y*/"}').data == {"url": "https://x/*y*/"}


def test_every_key_and_element_has_its_line() -> None:
    text = '{\n  "a": [\n    {"b": 1},\n    2\n  ],\n\n  "c": {"d": "x"}\n}'

    assert parse_jsonc(text).lines == {
        ("a",): 2,
        ("a", 0): 3,
        ("a", 0, "b"): 3,
        ("a", 1): 4,
        ("c",): 7,
        ("c", "d"): 7,
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ('{\n  "a" 1\n}', 2, 7, 'found "1"; expected ":" after the key "a"'),
        ('{"a": 1\n "b": 2}', 2, 2, 'found \'"\'; expected "," or "}"'),
        ("{a: 1}", 1, 2, 'found "a"; expected a "key" in double quotes or "}"'),
        ("{'a': 1}", 1, 2, 'found "\'"; expected a "key" in double quotes or "}"'),
        ('{"a": ', 1, 7, "found the end of the file; expected a value"),
        ('{"a": True}', 1, 7, 'found "True"; expected a value'),
        ('{"a": [1 2]}', 1, 10, 'found "2"; expected "," or "]"'),
        ('{"a": 1} x', 1, 10, 'found "x" after the end; expected nothing more'),
        ('{"a": "x\n"}', 1, 7, "a string is not closed on its line"),
        ('{"a": "\\q"}', 1, 8, "a string holds an unknown escape"),
        ('{"a": "\\ud800"}', 1, 7, "a string holds half of a surrogate pair"),
        ('{"a": 1e999}', 1, 7, "a number is too large"),
        (f'{{"a": {"9" * 310}}}', 1, 7, "a number is too large"),
        (f'{{"a": -{"9" * 5_000}}}', 1, 7, "a number is too large"),
        ('{"a": 01}', 1, 7, 'found "01"; expected a value'),
        ("/* never", 1, 1, "a comment is not closed"),
        ("[" * 300, 1, 202, "nested more than 200 levels deep"),
    ],
)
def test_a_syntax_error_has_its_place_and_what_was_expected(
    text: str, line: int, column: int, message: str
) -> None:
    error = fault(text)

    assert (error.line, error.column) == (line, column)
    assert message in error.text


def test_a_file_that_is_not_an_object_says_what_it_is() -> None:
    assert fault("[1]").text == "the file holds an array; expected an object: { … }"


def test_a_key_given_twice_is_warned_about_and_the_last_counts(project: Project) -> None:
    project.write(
        "wrangler.json",
        '{"name": "a", "main": "src/entry.py", "compatibility_date": "2025-01-01",\n'
        ' "compatibility_flags": ["python_workers"],\n "name": "b"}',
    )

    config = project.load()

    assert config.name == "b"
    assert str(config.warnings[0]).startswith("wrangler.json:3: name is given twice")


@pytest.mark.parametrize("name", ["wrangler.json", "wrangler.jsonc"])
def test_both_json_names_are_read_in_the_same_way(project: Project, name: str) -> None:
    project.write(
        name,
        '{"main": "src/entry.py", /* c */ "compatibility_date": "2025-01-01",\n'
        ' "compatibility_flags": ["python_workers"],}',
    )

    assert project.load().name == "worker"
