"""Journal entries as lines at the terminal."""

from __future__ import annotations

from emulator.cli.progress import MESSAGE_MAX, describe
from emulator.engine.model import Entry, EntryKind, Json


def failure(message: str) -> str:
    data: dict[str, Json] = {"error": {"name": "ValueError", "message": message}}
    text = describe(Entry(1, 0, EntryKind.WORKFLOW_FAILURE, data=data))
    assert text is not None
    return text


def test_a_short_error_is_shown_whole() -> None:
    assert failure("no such user") == "errored: ValueError: no such user"


def test_an_error_of_several_lines_is_one_line() -> None:
    assert failure("first\nsecond") == "errored: ValueError: first …"


def test_an_enormous_error_is_cut() -> None:
    assert len(failure("x" * 5_000_000)) < MESSAGE_MAX + 20
