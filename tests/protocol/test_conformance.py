"""The conversations of `emulator/protocol/transcripts/`, played against every host and guest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.protocol import framing
from emulator.protocol.message import MESSAGE_TYPES
from tests.protocol import guests
from tests.protocol.guests import GuestSide, ScriptedPeer
from tests.protocol.hosts import ConnectionSide, EngineSide
from tests.protocol.javascript_guest import JavascriptGuests
from tests.protocol.players import Player
from tests.protocol.transcripts import FOLDER, Conversation, conversations
from tests.runner.forks import forks

PARTS = [part.__name__.rpartition(".")[2] for part in framing.PARTS]
OF_RUNS = conversations("runs", "guest")
OF_GUESTS = [each for part in PARTS for each in conversations(part, "guest")]
OF_ENGINE = conversations("runs", "host")
OF_CONNECTION = [each for p in PARTS if p != "runs" for each in conversations(p, "host")]


# What only some guests do: workerd itself says that code does not load, and asks for bindings.
NOT_JAVASCRIPT = frozenset(
    {"The code cannot be loaded", "An exchange is over when its promises are"}
)
OF_JAVASCRIPT = [
    each
    for part in ("loading", "life", "exchanges", "runs")
    for each in conversations(part, "guest")
    if each.name not in NOT_JAVASCRIPT
]


@pytest.mark.parametrize("conversation", OF_GUESTS, ids=str)
def test_the_python_guest_keeps_to(conversation: Conversation, tmp_path: Path) -> None:
    async def played() -> None:
        forkserver = forks().forkserver
        side = GuestSide(lambda: guests.python_guest(forkserver, tmp_path, conversation.part))
        try:
            await Player(side, "guest").play(conversation)
        finally:
            await side.close()

    forks().run(played())


class Workerds:
    """One source of guests in workerd, for all conversations of this file."""

    def __init__(self, folder: Path) -> None:
        self.guests = JavascriptGuests(folder)
        self.runner = asyncio.Runner()

    def close(self) -> None:
        self.runner.run(self.guests.stop())
        self.runner.close()


@pytest.fixture(scope="module")
def workerds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workerds]:
    made = Workerds(tmp_path_factory.mktemp("w"))
    yield made
    made.close()


@pytest.mark.parametrize("conversation", OF_JAVASCRIPT, ids=str)
def test_the_javascript_guest_keeps_to(conversation: Conversation, workerds: Workerds) -> None:
    async def played() -> None:
        side = GuestSide(lambda: workerds.guests.open(conversation.part))
        try:
            await Player(side, "guest").play(conversation)
        finally:
            await side.close()

    workerds.runner.run(played())


@pytest.mark.parametrize("conversation", OF_RUNS, ids=str)
def test_the_scripted_guest_keeps_to(conversation: Conversation) -> None:
    async def opened() -> ScriptedPeer:
        return ScriptedPeer()

    async def played() -> None:
        side = GuestSide(opened)
        try:
            await Player(side, "guest").play(conversation)
        finally:
            await side.close()

    asyncio.run(played())


@pytest.mark.parametrize("conversation", OF_ENGINE, ids=str)
def test_the_engine_keeps_to(conversation: Conversation, tmp_path: Path) -> None:
    async def played() -> None:
        side = EngineSide(tmp_path, conversation.world)
        try:
            await Player(side, "host").play(conversation)
        finally:
            side.crash()

    asyncio.run(played())


@pytest.mark.parametrize("conversation", OF_CONNECTION, ids=str)
def test_the_connection_keeps_to(conversation: Conversation) -> None:
    async def played() -> None:
        side = ConnectionSide(asyncio.get_running_loop())
        try:
            await Player(side, "host").play(conversation)
        finally:
            await side.close()

    asyncio.run(played())


def test_every_message_is_said_in_some_conversation() -> None:
    said = {
        record.get("type")
        for each in [*OF_GUESTS, *OF_ENGINE, *OF_CONNECTION]
        for _, record in each.lines
    }
    assert set(MESSAGE_TYPES) <= said


def test_there_is_a_file_for_every_part() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(PARTS)
