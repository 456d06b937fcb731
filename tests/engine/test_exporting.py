"""Histories as documents: what is written is read, what is no history is refused in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance
from emulator.engine.views.export import export, parse_history
from emulator.errors import UsageError
from emulator.protocol import deep_json

START = {"config": {}, "timeoutMs": 1, "delayMs": 1}


def document(**entry: Any) -> str:
    queued = {"at": 0, "kind": "WORKFLOW_QUEUED"}
    started = {"at": 0, "kind": "STEP_START", "step": "do:1:a", "data": START}
    done = {"at": 0, "kind": "STEP_SUCCESS", "step": "do:1:a"} | entry
    fields = {"format": "groundfog-history", "version": 1, "workflow": "flow", "id": "one"}
    return deep_json.dumps(fields | {"entries": [queued, started, done]})


def nested(depth: int) -> Any:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"$date": 2**60}, "outside the years 1 to 9999"),
        ({"$ref": 0}, "not tagged JSON"),
        ({"$set": [[1]]}, "not tagged JSON"),
        ({"$bytes": "!"}, "not tagged JSON"),
        ([nested(5_000)], "nested too deeply"),
    ],
)
def test_a_wrong_value_is_refused_with_its_entry(value: Any, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_history(document(value=value), "a.json")

    assert said in str(raised.value)
    assert str(raised.value).startswith("a.json")


def test_an_entry_about_a_step_without_a_step_is_refused() -> None:
    with pytest.raises(UsageError, match=r"entries\[2\]: STEP_SUCCESS .* step is missing"):
        parse_history(document(step=""), "a.json")


def test_values_nested_deeply_are_written_and_read() -> None:
    text = "[" * 1_000 + "]" * 1_000
    entry = Entry(0, 0, EntryKind.WORKFLOW_QUEUED, value=text.encode())

    history = deep_json.dumps(export(Instance(0, "flow", "one"), [entry]), indent=2)

    assert parse_history(history, "a.json").params == text.encode()


def test_a_history_that_is_not_json_is_refused_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"a\.json:2: not JSON"):
        parse_history(json.dumps({"a": 1})[:-1] + "\noops}", "a.json")
