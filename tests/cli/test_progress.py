"""Journal entries as lines at the terminal."""

from __future__ import annotations

import pytest

from emulator.cli.progress import MESSAGE_MAX, describe
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import ErrorInfo, Failure, TracedFailure
from emulator.engine.model.instance_entries import RollbackEnd, RollbackStart
from emulator.engine.model.step_entries import AttemptFailure


def failure(message: str) -> str:
    data = TracedFailure(ErrorInfo("ValueError", message))
    text = describe(Entry(1, 0, EntryKind.WORKFLOW_FAILURE, data=data))
    assert text is not None
    return text


def test_a_short_error_is_shown_whole() -> None:
    assert failure("no such user") == "errored: ValueError: no such user"


def test_an_error_of_several_lines_is_one_line() -> None:
    assert failure("first\nsecond") == "errored: ValueError: first …"


def test_an_enormous_error_is_cut() -> None:
    assert len(failure("x" * 5_000_000)) < MESSAGE_MAX + 20


@pytest.mark.parametrize(("name", "shown"), [("", '""'), ("  ", '"  "'), ("pay", "pay")])
def test_a_name_of_which_nothing_would_be_seen_is_quoted(name: str, shown: str) -> None:
    assert describe(Entry(1, 0, EntryKind.STEP_SUCCESS, f"do:1:{name}")) == f"{shown} done"


def test_a_rollback_is_told_step_by_step() -> None:
    error = ErrorInfo("ValueError", "no")
    start, failure = RollbackStart(error, 2, terminates=False), AttemptFailure(error)
    told = [
        describe(Entry(1, 0, EntryKind.ROLLBACK_START, data=start)),
        describe(Entry(1, 0, EntryKind.ROLLBACK_STEP_SUCCESS, "rollback:1:ship")),
        describe(Entry(1, 0, EntryKind.ROLLBACK_ATTEMPT_FAILURE, "rollback:1:pay", 1, failure)),
        describe(Entry(1, 0, EntryKind.ROLLBACK_FAILED, data=RollbackEnd(2, 1, error))),
    ]

    assert told == [
        "rolling back 2 steps",
        "ship rolled back",
        "rollback of pay failed (attempt 1): ValueError: no",
        "rollback failed, 1 of 2 done: ValueError: no",
    ]


def test_a_handler_that_is_missing_is_told_with_its_reasons() -> None:
    failure = Failure(ErrorInfo("RollbackMissing", "Rollback function not available in registry"))
    entry = Entry(1, 0, EntryKind.ROLLBACK_STEP_FAILURE, "rollback:1:pay", data=failure)

    text = describe(entry)

    assert text is not None
    assert text.startswith("pay cannot be rolled back: run() has not given its handler again")
