"""One TypeScript project under `wrangler dev` and under `groundfog dev`, compared by fields."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.differential.side_by_side import asking
from tests.differential.side_by_side.asking import Answers, answers
from tests.differential.side_by_side.differences import ON_PURPOSE, compared, reasons
from tests.differential.side_by_side.servers import Side, official, ours, start_of_official
from tests.typescript.projects import dev, project
from tests.waiting import eventually

PROJECT = Path(__file__).with_name("project")
# Code that cannot be served, and what both servers must say of it.
BROKEN = {
    "raises": ('throw new RangeError("at load");', "RangeError: at load"),
    "no syntax": ("this is no code", 'Expected ";" but found "is"'),
    "no such module": ('import "./nowhere";', 'Could not resolve "./nowhere"'),
    "timer": ("setTimeout(() => {}, 1);", "Disallowed operation called within global scope"),
}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    folder = tmp_path_factory.mktemp("sides")
    projects = [Path(shutil.copytree(PROJECT, folder / name)) for name in ("official", "ours")]
    with official(projects[0]) as theirs, ours(projects[1]) as own:
        yield theirs, own


@pytest.fixture(scope="module")
def asked(sides: tuple[Side, Side]) -> tuple[Answers, Answers]:
    with ThreadPoolExecutor(2) as pool:
        theirs, own = pool.map(lambda side: answers(side.client), sides)
    return theirs, own


def test_every_answer_is_the_same_but_for_what_differs_on_purpose(
    asked: tuple[Answers, Answers],
) -> None:
    theirs, own = asked
    found = [
        f"{case}, {path}: wrangler {official!r}, Groundfog {ours!r}"
        for case in theirs
        for path, official, ours in compared(case, theirs, own)
        if not reasons(case, path)
    ]
    assert theirs.keys() == own.keys()
    assert not found, "\n".join(found)


def test_what_is_said_to_differ_does(asked: tuple[Answers, Answers]) -> None:
    theirs, own = asked
    there = {
        entry
        for case in theirs
        for path, _, _ in compared(case, theirs, own)
        for entry in reasons(case, path)
    }
    assert set(ON_PURPOSE) == there


def test_everything_is_asked(asked: tuple[Answers, Answers]) -> None:
    index = (PROJECT / "src" / "flow.ts").read_text()
    methods = set(re.findall(r"^  async (\w+)\(", index, re.MULTILINE))

    assert methods - {"waits"} == set(asking.FLOWS)


@pytest.mark.parametrize("kind", BROKEN)
def test_both_say_why_code_cannot_be_served(tmp_path: Path, kind: str) -> None:
    line, said = BROKEN[kind]
    index = f"{line}\nexport default {{ fetch() {{ return new Response(); }} }};"

    assert said in " ".join(start_of_official(project(tmp_path / "official", index)).split())
    with dev(project(tmp_path / "ours", index)) as server:
        eventually(lambda: said in " ".join(server.output.split()))
