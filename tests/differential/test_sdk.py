"""The published SDK inside Pyodide gives what ours gives, over a table and values made at random.

`GROUNDFOG_PYODIDE` names a folder with Pyodide (`node_modules/pyodide`) and the SDK (`sdk/`).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.guest.python import imports, scope
from tests.differential.cases import CASES, DIFFERENT

HERE = Path(__file__).parent
DEADLINE_S = 100
VALUES = 150

_TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
_SIMPLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False),
    _TEXT,
    st.binary(max_size=4),
)
_VALUES = st.recursive(
    _SIMPLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_TEXT, inner, max_size=3),
        st.lists(inner, max_size=2).map(tuple),
        st.sets(_TEXT, max_size=2),
    ),
    max_leaves=8,
)


def made_values() -> list[str]:
    """Return expressions of values, the same ones in every run."""
    found: list[str] = []

    @settings(derandomize=True, max_examples=VALUES, database=None)
    @given(_VALUES)
    def collect(value: Any) -> None:
        found.append(repr(value))

    collect()
    return sorted(set(found))


def expressions() -> list[str]:
    made = [
        form.format(value)
        for value in made_values()
        for form in (
            "to_js({})",
            "to_js([{}]).to_py()",
            "to_js([{}], dict_converter=js.Object.fromEntries).to_py()",
            "python_from_rpc(python_to_rpc({}))",
            "js.JSON.stringify(to_js({}, dict_converter=js.Object.fromEntries))",
        )
    ]
    return [*CASES, *made]


def theirs(cases: list[str], folder: Path, scratch: Path) -> list[Any]:
    """Return what the published SDK gives in Pyodide."""
    path = scratch / "cases.json"
    path.write_text(json.dumps(cases))
    node = os.environ.get("GROUNDFOG_NODE")
    program = f"{node}/node" if node else "node"
    command = [program, "--experimental-wasm-jspi", str(HERE / "oracle.mjs"), str(folder)]
    done = subprocess.run(
        [*command, str(HERE / "showing.txt"), str(path)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]


class Scope:
    """Takes the place of a request."""

    run = 0
    depth = 0
    label = ""
    dropped = False
    refuse: Any = None
    object = None

    def wait_until(self, awaitable: Any) -> None:
        asyncio.ensure_future(awaitable)


def ours(cases: list[str], patch: pytest.MonkeyPatch) -> list[Any]:
    """Return what ours gives."""
    for name, module in {**imports.PUBLIC, "js": imports.public_js()}.items():
        patch.setitem(sys.modules, name, module)
    showing = ModuleType("showing")
    exec((HERE / "showing.txt").read_text(), showing.__dict__)

    async def main() -> Any:
        scope.enter(Scope())
        return await showing.shown_all(json.dumps(cases), showing.NAMES)

    return json.loads(asyncio.run(main()))  # type: ignore[no-any-return]


def same(found: Any, expected: Any) -> bool:
    """Whether both are equal; a text of an error of ours may say more at its end."""
    if isinstance(found, list) and isinstance(expected, list) and found[:1] == ["raises"]:
        return found[:2] == expected[:2] and found[2].startswith(expected[2])
    return bool(found == expected)


@pytest.fixture(scope="module")
def folder() -> Path:
    named = os.environ.get("GROUNDFOG_PYODIDE")
    if not named:
        pytest.skip("GROUNDFOG_PYODIDE does not name a folder with Pyodide and the SDK")
    return Path(named)


def test_ours_gives_what_the_published_sdk_gives_in_pyodide(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = expressions()
    expected = dict(zip(cases, theirs(cases, folder, tmp_path), strict=True))
    found = dict(zip(cases, ours(cases, monkeypatch), strict=True))
    different = {case: (found[case], expected[case]) for case in cases}
    different = {case: pair for case, pair in different.items() if not same(*pair)}

    assert {case: pair for case, pair in different.items() if case not in DIFFERENT} == {}
    assert different.keys() == DIFFERENT.keys(), "no longer different"
