"""`docs/journal-format.md` and the code say the same of the journal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.decide.step_config import resolve_config
from emulator.engine.journal import rows, schema
from emulator.engine.model.divergence import Change, DiffLine, Divergence, Finding, Policy
from emulator.engine.model.entries import DATA, Data, decoded, encoded, from_json
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo, Failure, TracedFailure
from emulator.engine.model.instance import Status
from emulator.engine.model.instance_entries import (
    CodeVersion,
    FoundDivergence,
    Queued,
    ReceivedEvent,
    RestartPoint,
    Resumption,
    RollbackEnd,
    RollbackStart,
    Schedule,
    Termination,
)
from emulator.engine.model.step_entries import (
    AttemptFailure,
    Interruption,
    Origin,
    Renaming,
    RetryDelay,
    SleepStart,
    StepConfig,
    StepStart,
    WaitStart,
)

PAGE = (Path(__file__).parents[1] / "docs" / "journal-format.md").read_text(encoding="utf-8")

WHOLE = ("config", "renamed", "diff", "findings", "missing", "later")  # told in words
ERROR = ErrorInfo("ValueError", "no")
ORIGIN = Origin("src/entry.py:1", "do:1:outer", 2, True)
CONFIG = StepConfig(resolve_config(None).config, 1, None)
FINDING = Finding(Change.RENAMED, "do", "a", (1,), "do", "b", "was -> is", "src/entry.py:1", True)
DIVERGENCE = Divergence((FINDING,), (DiffLine("-", "do", "a", 1),), ("do:1:a",), ("do:1:b",))

# Of each class, what says all that it can, and what says as little as possible.
SAYS: dict[type[Data], tuple[Data, Data]] = {
    Queued: (
        Queued("cron", Schedule("* * * * *", 1), {"success": 1, "error": 2}, True),
        Queued(),
    ),
    CodeVersion: (CodeVersion(1), CodeVersion()),
    Failure: (Failure(ERROR), Failure(ERROR)),
    TracedFailure: (TracedFailure(ERROR, "at 1"), TracedFailure(ERROR)),
    Termination: (Termination("api"), Termination()),
    Resumption: (Resumption(True, 2, {"a": "b"}), Resumption()),
    RestartPoint: (RestartPoint("a", 2, "sleep"), RestartPoint("a")),
    FoundDivergence: (
        FoundDivergence(Policy.HOLD, 2, DIVERGENCE),
        FoundDivergence(Policy.HOLD, 0, DIVERGENCE),
    ),
    StepStart: (StepStart(CONFIG, ORIGIN, CONFIG), StepStart(CONFIG)),
    SleepStart: (SleepStart(1, 2, ORIGIN), SleepStart(0, 0)),
    WaitStart: (WaitStart("go", 1, ORIGIN), WaitStart("go", 0)),
    AttemptFailure: (AttemptFailure(ERROR, 1, True, "at 1"), AttemptFailure(ERROR)),
    RetryDelay: (RetryDelay(1), RetryDelay(0)),
    Interruption: (Interruption("loss"), Interruption()),
    ReceivedEvent: (ReceivedEvent("go"), ReceivedEvent("go")),
    RollbackStart: (RollbackStart(ERROR, 1, True, "at 1"), RollbackStart(ERROR, 0, False)),
    StepConfig: (CONFIG, CONFIG),
    RollbackEnd: (RollbackEnd(1, 1, ERROR), RollbackEnd(0, 0)),
    Renaming: (Renaming("do:1:a"), Renaming("do:1:a")),
}

kinds = pytest.mark.parametrize("kind", EntryKind, ids=lambda kind: kind.name)


def members(found: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The members of a JSON object, those of objects inside as `error.name`."""
    for name, value in found.items():
        if isinstance(value, dict) and name not in WHOLE:
            yield from members(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def said(kind: EntryKind) -> dict[str, bool]:
    """The members that entries of a kind can have, and whether each always is there."""
    if kind not in DATA:
        return {}
    most, least = SAYS[DATA[kind]]
    always = set(members(least.as_json()))
    told = {name: name in always for name in members(most.as_json())}
    if kind is EntryKind.ROLLBACK_COMPLETE:
        return {name: there for name, there in told.items() if not name.startswith("error.")}
    return dict.fromkeys(told, True) if kind is EntryKind.ROLLBACK_FAILED else told


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading of the page, cell by cell."""
    below = PAGE.partition(f"\n{heading}\n")[2]
    lines = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert lines is not None
    found = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[0].splitlines()]
    return [[cell.strip() for cell in cells] for cells in found[2:]]


def test_the_page_has_every_kind_and_no_other() -> None:
    told = {int(number): name.strip("`") for number, name, *_ in table("## Kinds of entries")}

    assert told == {int(kind): kind.name for kind in EntryKind}


@kinds
def test_the_page_has_every_member_of_a_kind_and_no_other(kind: EntryKind) -> None:
    (row,) = (row for row in table("## Kinds of entries") if row[0] == str(int(kind)))
    told = {name: not mark for name, mark in re.findall(r"`([^`]+)`(\??)", row[3])}

    assert told == said(kind)


def test_the_page_explains_every_member_and_no_other() -> None:
    told = [row[0].strip("`") for row in table("## Members")]

    assert told == sorted({name for kind in EntryKind for name in said(kind)})


@kinds
def test_what_an_entry_says_is_read_back_as_it_was_written(kind: EntryKind) -> None:
    for data in SAYS[DATA[kind]] if kind in DATA else ():
        assert decoded(kind, encoded(data)) == data


class Seen(dict[str, Any]):
    """A JSON object that notes which of its members are read."""

    def __init__(self, found: dict[str, Any], seen: set[str], path: str = "") -> None:
        super().__init__(found)
        self._seen, self._path = seen, path
        for name, value in found.items():
            if isinstance(value, dict) and name not in WHOLE:
                self[name] = Seen(value, seen, f"{path}{name}.")

    def _note(self, name: str) -> None:
        if not isinstance(super().get(name), Seen):
            self._seen.add(f"{self._path}{name}")

    def __getitem__(self, name: str) -> Any:
        self._note(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._note(name)
        return super().get(name, default)


@kinds
def test_no_member_is_read_that_the_page_does_not_have(kind: EntryKind) -> None:
    if kind not in DATA:
        return
    seen: set[str] = set()

    from_json(kind, Seen(dict(SAYS[DATA[kind]][0].as_json()), seen))

    whole = {"retention"}  # taken as it is
    assert seen - whole <= set(members(SAYS[DATA[kind]][0].as_json()))


def test_the_page_has_the_members_of_a_finding() -> None:
    (told,) = (row[1] for row in table("## Members") if row[0] == "`divergence.findings`")

    assert set(re.findall(r"`(\w+)`", told)) == set(FINDING.as_json())


def test_the_page_has_the_version_of_the_file_and_the_kinds_of_rows() -> None:
    versions = [int(row[0]) for row in table("## The file")]
    combined = {int(number) for number in re.findall(r"^\| (10\d\d) \|", PAGE, re.MULTILINE)}

    assert versions == list(range(1, schema.SCHEMA_VERSION + 1))
    assert f"the version of the file: {schema.SCHEMA_VERSION}." in PAGE
    assert combined == {rows.BEGUN, rows.DONE, rows.AT_ONCE}


@pytest.mark.parametrize("name", ["instances", "entries", "generations", "stream_chunks"])
def test_the_page_has_every_column(name: str) -> None:
    script = (Path(schema.__file__).parent / "schema.sql").read_text(encoding="utf-8")
    body = re.search(rf"CREATE TABLE {name} \((.*?)\n\)", script, re.DOTALL)
    assert body is not None
    columns = re.findall(r"^    ([a-z_]+) +[A-Z]+\b(?! KEY)", body[1], re.MULTILINE)
    section = PAGE.partition(f"\n### `{name}`\n")[2].partition("\n### ")[0]

    assert columns
    assert [column for column in columns if f"`{column}`" not in section] == []


def test_the_page_has_every_status() -> None:
    (row,) = (row for row in table("### `instances`") if row[0] == "`status`")

    assert set(re.findall(r"`(\w+)`", row[1])) == {status.value for status in Status}
