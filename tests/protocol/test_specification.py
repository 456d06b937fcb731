"""PROTOCOL.md and the code say the same: messages, fields, senders, values, limits."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import typing
from pathlib import Path
from typing import Any

import pytest

import emulator.protocol
from emulator.guest.python.guest import Guest
from emulator.protocol import framing
from emulator.protocol.message import MESSAGE_TYPES, Message
from emulator.protocol.runs import RUN_MESSAGES
from emulator.runner.connection import Connection

FOLDER = Path(emulator.protocol.__file__).parent
TEXT = (FOLDER / "PROTOCOL.md").read_text()
TYPES: dict[Any, str] = {
    int: "integer",
    str: "string",
    bool: "boolean",
    bytes: "bytes",
    list[str]: "list of strings",
    list[list[str]]: "list of lists of strings",
    list[list[Any]]: "list of lists",
    dict[str, str]: "object of strings",
    dict[str, Any]: "object",
}
HOST, GUEST, EITHER = "host", "guest", "either side"


@dataclasses.dataclass
class Told:
    """What the specification says of one message."""

    sender: str
    answers: list[str]
    fields: list[tuple[str, str, str]]  # name, type, default


def told() -> dict[str, Told]:
    """Every message of the specification, in its order."""
    found = {}
    for section in re.split(r"^### ", TEXT, flags=re.M)[1:]:
        section = re.split(r"^## ", section, flags=re.M)[0]
        name = re.match(r"`(\w+)`\n", section)
        assert name, section[:40]
        sender = re.search(r"^From (host|guest|either side)\. ", section, flags=re.M)
        assert sender, name[1]
        answers = re.search(r" Answered by (.*)\.$", section, flags=re.M)
        rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]*)\| [^|]+ \|$", section, flags=re.M)
        assert len(rows) == section.count("\n| `"), f"a row of {name[1]} has not four cells"
        found[name[1]] = Told(
            sender[1],
            re.findall(r"`(\w+)`", answers[1]) if answers else [],
            [(field, kind.strip(), default.strip()) for field, kind, default in rows],
        )
    return found


def coded(cls: type[Message]) -> list[tuple[str, str, str]]:
    """The fields of a message class, as the specification tells fields."""
    hints = typing.get_type_hints(cls)
    return [(f.name, TYPES[hints[f.name]], _default(f)) for f in dataclasses.fields(cls)]


def _default(field: dataclasses.Field[Any]) -> str:
    if field.name == "payload":
        return "empty"
    if field.default_factory is not dataclasses.MISSING:
        return f"`{json.dumps(field.default_factory())}`"
    return "" if field.default is dataclasses.MISSING else f"`{json.dumps(field.default)}`"


def heard_by_guests() -> set[str]:
    nothing: Any = lambda *given: None  # noqa: E731
    guest = Guest(_Loop(), 1, nothing, nothing, nothing)  # type: ignore[arg-type]
    return {cls.type for cls in guest.routes}


def heard_by_hosts() -> set[str]:
    connection = Connection(_Loop(), {}, lambda error, run: None)  # type: ignore[arg-type]
    return {cls.type for cls in connection.routes} | set(RUN_MESSAGES)


class _Loop:
    """An event loop that is never run."""

    def create_future(self) -> None: ...
    def set_task_factory(self, factory: object) -> None: ...


def test_every_message_is_specified_and_in_the_order_of_the_code() -> None:
    parts = [part.__name__ for part in framing.PARTS]
    in_code = sorted(MESSAGE_TYPES.values(), key=lambda cls: parts.index(cls.__module__))
    assert list(told()) == [cls.type for cls in in_code]


@pytest.mark.parametrize("name", sorted(MESSAGE_TYPES))
def test_a_message_has_the_fields_that_are_specified(name: str) -> None:
    assert told()[name].fields == coded(MESSAGE_TYPES[name])


def test_each_side_hears_what_the_other_is_said_to_send() -> None:
    senders = {name: each.sender for name, each in told().items()}
    assert heard_by_guests() == {name for name, who in senders.items() if who in (HOST, EITHER)}
    assert heard_by_hosts() == {name for name, who in senders.items() if who in (GUEST, EITHER)}


def test_what_runs_say_comes_from_guests() -> None:
    assert {told()[name].sender for name in RUN_MESSAGES} == {GUEST}


def test_an_answer_is_a_message_of_the_other_side() -> None:
    messages = told()
    for name, each in messages.items():
        for answer in set(each.answers) & set(messages):
            follows = answer in ("step_chunk", "step_run", "step_delay")
            assert follows or messages[answer].sender != each.sender or EITHER == each.sender, name
    asked = {answer for each in messages.values() for answer in each.answers}
    assert asked >= {"loaded", "fetch_response", "binding_result", "step_done", "pong"}


def test_every_tag_of_values_is_specified() -> None:
    specified = set(re.findall(r'^\| `\{"(\$\w+)"', TEXT, flags=re.M))
    read = set(re.findall(r'"(\$\w+)"', (FOLDER / "reading.py").read_text()))
    written = set(re.findall(r'"(\$\w+)"', (FOLDER / "writing.py").read_text()))
    assert specified == read - {"$stream"}
    assert written <= specified and "`$stream`" in TEXT


def test_the_limits_are_those_of_the_code() -> None:
    section = TEXT.partition("## 13. Limits")[2].partition("## Annex")[0]
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+) \| `(\w+)\.py`", section, flags=re.M)
    assert len(rows) == 10
    for name, value, module in rows:
        code = importlib.import_module(f"emulator.protocol.{module}")
        assert getattr(code, name) == int(value.replace(",", "")), name


def test_names_in_capitals_are_limits_that_exist() -> None:
    section = TEXT.partition("## 13. Limits")[2]
    used = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", TEXT)) - {
        *("EX_PROTOCOL", "EX_SOFTWARE", "STUCK_IN", "REFUSED_NETWORK"),
        *("LABEL_BEGINS", "LABEL_ENDS"),
    }
    assert all(f"| `{name}` |" in section for name in used)
