"""Whatever a file holds: a configuration or one clear report, and lines that are right."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.config import keys
from emulator.config.dotenv_syntax import EndlessExpansion, expand, parse_dotenv
from emulator.config.jsonc_source import parse_jsonc
from emulator.config.problems import Fault, InvalidConfig
from emulator.config.source import KeyPath
from emulator.config.toml_lines import find_lines
from emulator.config.toml_source import parse_toml
from tests.config.project import HEAD, Project

ANY_TEXT = st.text(max_size=200)
# Text that gets far into a parser: pieces of the languages in any order.
TOML_PIECES = st.lists(
    st.sampled_from(
        ["[", "]", "[[", "]]", "a", "b", ".", " = ", "\n", '"', "'", '"""', "'''", "{", "}"]
        + [",", "1", "true", "#", "\\", "1979-05-27", "env", "vars", "workflows", " ", "é"]
    ),
    max_size=25,
).map("".join)
JSON_PIECES = st.lists(
    st.sampled_from(
        ["{", "}", "[", "]", '"a"', '"env"', ":", ",", "1", "-", "e9", "true", "null", '"']
        + ["\\u12", "//", "/*", "*/", "\n", " ", "é"]
    ),
    max_size=25,
).map("".join)
DOTENV_PIECES = st.lists(
    st.sampled_from(["A", "B", "=", ": ", "export ", '"', "'", "`", "\\", "\n", "#", "$A", "${B:-"])
    | st.characters(codec="utf-8"),
    max_size=25,
).map("".join)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(ANY_TEXT | TOML_PIECES)
def test_any_text_is_toml_or_a_fault(text: str) -> None:
    try:
        parse_toml(text)
    except Fault as fault:
        assert fault.text


@given(ANY_TEXT | JSON_PIECES)
def test_any_text_is_jsonc_or_a_fault(text: str) -> None:
    try:
        parse_jsonc(text)
    except Fault as fault:
        assert fault.text


@given(ANY_TEXT | DOTENV_PIECES, st.dictionaries(st.sampled_from("AB"), ANY_TEXT))
def test_any_text_is_dotenv(text: str, process_env: dict[str, str]) -> None:
    values, _ = parse_dotenv(text)
    try:
        expand(values, process_env)
    except EndlessExpansion as error:
        assert error.key in values


@given(st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=4), st.sampled_from([None, 1]))
def test_jsonc_agrees_with_json(data: dict[str, Any], indent: int | None) -> None:
    for ensure_ascii in (True, False):
        text = json.dumps(data, indent=indent, ensure_ascii=ensure_ascii)
        assert parse_jsonc(text).data == data


KEY = st.text(st.sampled_from("ab\"'\\ .é\n"), max_size=3)
TOML_SCALARS = (
    st.integers(-5, 5).map(str)
    | st.sampled_from(["true", "1.5", "1979-05-27T07:32:00Z", "07:32:00", "0xff"])
    | st.text(st.sampled_from("a=[]{}#\"'\\\n"), max_size=6).map(json.dumps)
    | st.text(st.sampled_from('a=[]{}#"\\'), max_size=6).map(lambda text: f"'{text}'")
    | st.text(st.sampled_from("a=[]{}#\n"), max_size=6).map(lambda text: f'"""{text}"""')
    | st.text(st.sampled_from("a=[]{}#\\\n"), max_size=6).map(lambda text: f"'''{text}'''")
)
TOML_VALUES = st.recursive(
    TOML_SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ", # ,]\n".join(items) + "\n]")
        | st.lists(inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"k{i} = {v}" for i, v in enumerate(items)) + "}"
        )
    ),
    max_leaves=4,
)


@st.composite
def toml_documents(draw: st.DrawFn) -> tuple[str, dict[KeyPath, int]]:
    """Return a document, and the line of each key that was written at the start of a line."""
    text, lines = "", {}
    sizes: dict[str, int] = {}
    tables: set[str] = set()
    path: KeyPath = ()
    for _ in range(draw(st.integers(1, 5))):
        for key in draw(st.lists(KEY, max_size=3, unique=True)):
            lines[(*path, "v", key)] = text.count("\n") + 1
            text += f"v.{json.dumps(key)} = {draw(TOML_VALUES)}\n"
        text += draw(st.sampled_from(["", "\n", "# [no]\n", "\t\n"]))
        name = draw(st.sampled_from(["t", "u", "w"]))
        if draw(st.booleans()) and name not in tables:
            sizes[name] = sizes.get(name, 0) + 1
            path = (name, sizes[name] - 1)
            lines[path] = text.count("\n") + 1
            text += f"[[{name}]]\n"
        elif name not in tables and name not in sizes:
            tables.add(name)
            path = (name,)
            lines[path] = text.count("\n") + 1
            text += f"[ {name} ] # comment\n"
        else:
            break
    return text, lines


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Return the path of every key and element of parsed data."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield (*path, key)
        yield from paths(item, (*path, key))


@settings(max_examples=300)
@given(toml_documents())
def test_every_toml_key_has_a_line_and_it_is_the_right_one(
    document: tuple[str, dict[KeyPath, int]],
) -> None:
    text, expected = document

    found = find_lines(text)

    assert set(found) == set(paths(tomli.loads(text)))
    assert {path: found[path] for path in expected} == expected


FILES = st.fixed_dictionaries(
    {},
    optional={
        "wrangler.toml": st.binary(max_size=60)
        | TOML_PIECES.map(str.encode)
        | TOML_PIECES.map(lambda text: (HEAD + text).encode()),
        "wrangler.jsonc": JSON_PIECES.map(str.encode),
        ".dev.vars": st.binary(max_size=60) | DOTENV_PIECES.map(str.encode),
        ".env": DOTENV_PIECES.map(str.encode),
        "groundfog.toml": st.binary(max_size=60) | TOML_PIECES.map(str.encode),
    },
)


@settings(deadline=None)
@given(FILES)
def test_any_files_are_a_configuration_or_one_report(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        project = Project(Path(directory))
        for name, content in files.items():
            project.write(name, content)
        try:
            project.load()
        except InvalidConfig as error:
            assert error.problems


SECTION_KEYS = st.sampled_from(
    ["name", "main", "compatibility_date", "compatibility_flags", "vars", "secrets", "workflows"]
    + ["d1_databases", "vectorize", "ai", "dev", "env", "queues", "durable_objects", "assets"]
    + ["kv_namespaces", "browser", "unsafe", "triggers", "services", "limits", "define"]
)
BUNDLING_KEYS = st.sampled_from(sorted(keys.BUNDLING))
INNER_KEYS = st.sampled_from(
    ["binding", "name", "class_name", "index_name", "remote", "limits", "steps", "schedules"]
    + ["script_name", "port", "ip", "required", "bindings", "producers", "local_protocol", "A"]
    + ["migrations_dir", "database_id", "vars", "workflows", "ai", "staging"]
    + ["type", "globs", "fallthrough", "command", "cwd", "watch_dir"]
)
SECTION_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER_KEYS, inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(SECTION_KEYS, SECTION_VALUES, max_size=5), st.sampled_from([None, "staging"])
)
def test_any_values_under_known_keys_are_a_configuration_or_one_report(
    data: dict[str, Any], environment: str | None
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        project = Project(Path(directory))
        project.write("wrangler.json", json.dumps({"main": "src/entry.py", **data}))
        try:
            project.load(env=environment)
        except InvalidConfig as error:
            assert error.problems


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(BUNDLING_KEYS, SECTION_VALUES, max_size=5))
def test_any_values_about_bundling_are_a_configuration_or_one_report(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        project = Project(Path(directory))
        project.write("index.ts", "")
        project.write("wrangler.json", json.dumps({"main": "index.ts", **data}))
        try:
            project.load()
        except InvalidConfig as error:
            assert error.problems
