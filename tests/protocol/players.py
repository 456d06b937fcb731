"""Playing a conversation against one side, as the other."""

from __future__ import annotations

from typing import Protocol

from emulator.protocol.exchanges import Credit, Data, End
from emulator.protocol.message import Message
from emulator.protocol.runs import Replayed, RunAbort, RunRelease
from emulator.protocol.windows import CHUNK_BYTES, WINDOW_BYTES
from tests.protocol.transcripts import FILLER, Bound, Conversation, Record, differs, message_of


class Side(Protocol):
    """The side that is played against."""

    async def tell(self, message: Message) -> None:
        """Say something to it."""
        ...

    async def hear(self, like: Record) -> Message:
        """Return the next that it says; `like` is what is expected."""
        ...

    async def silent(self) -> None:
        """Raise AssertionError if it has more to say."""
        ...

    async def world(self, event: Record) -> None:
        """What happens to the host."""
        ...

    async def prompt(self, record: Record) -> None:
        """It is to say this next: bring it there, if it needs to be."""
        ...


class Player:
    """Plays one conversation: what `they` say is compared, what the other side says is said."""

    def __init__(self, side: Side, they: str) -> None:
        self._side = side
        self._they = they
        self._bound: Bound = {}
        self._decided: set[int] = set()  # guarded runs that the host has decided about
        self._received: dict[int, int] = {}  # bytes of a body that has stalled

    async def play(self, conversation: Conversation) -> None:
        """Raise AssertionError with the number of the line where they differ."""
        for number, (who, record) in enumerate(conversation.lines, 1):
            try:
                await self._line(who, record)
            except AssertionError as error:
                raise AssertionError(f"line {number}: {error}") from error
        await self._side.silent()

    async def _line(self, who: str, record: Record) -> None:
        if who == "world":
            await self._side.world(record)
        elif who == self._they:
            await self._side.prompt(record)
            await self._hear(record)
        elif record["type"] == "stall":
            pass  # the body that follows is sent at the pace of its reader
        elif record["type"] == "body":
            await self._send_body(record)
        else:
            message = message_of(record, self._bound)
            if isinstance(message, RunRelease | RunAbort):
                self._decided.add(message.run)
            await self._side.tell(message)

    async def _hear(self, record: Record) -> None:
        match record["type"]:
            case "body":
                await self._receive_body(record["id"], record["fill"])
            case "stall":
                await self._stall(record["id"])
            case _:
                problem = differs(record, await self._next(record), self._bound)
                assert not problem, problem

    async def _next(self, record: Record) -> Message:
        """Return what is said next, but for what may come at any time.

        How often a reader gives credit is its own choice, and what a guarded run has found out may
        cross the host's word that this is enough.
        """
        while True:
            message = await self._side.hear(record)
            credit = isinstance(message, Credit) and record["type"] != "credit"
            late = isinstance(message, Replayed) and message.run in self._decided
            if not credit and not late:
                return message

    async def _stall(self, number: int) -> None:
        received = 0
        while received < WINDOW_BYTES:
            message = await self._side.hear({"type": "data", "id": number})
            assert isinstance(message, Data) and message.id == number, message
            received += len(message.payload)
        assert received == WINDOW_BYTES
        await self._side.silent()
        self._received[number] = received

    async def _receive_body(self, number: int, total: int) -> None:
        received = self._received.pop(number, 0)
        if received:
            await self._side.tell(Credit(number, received))
        while True:
            message = await self._side.hear({"type": "data", "id": number})
            if isinstance(message, End):
                break
            assert isinstance(message, Data) and message.id == number, message
            assert 0 < len(message.payload) <= CHUNK_BYTES
            received += len(message.payload)
            await self._side.tell(Credit(number, len(message.payload)))
        assert (message, received) == (End(number), total)

    async def _send_body(self, record: Record) -> None:
        number, rest, room = record["id"], record["fill"], WINDOW_BYTES
        while rest:
            size = min(rest, room, CHUNK_BYTES)
            if size:
                await self._side.tell(Data(number, FILLER * size))
                rest, room = rest - size, room - size
                continue
            credit = await self._side.hear({"type": "credit", "id": number})
            assert isinstance(credit, Credit) and credit.id == number, credit
            room += credit.bytes
        await self._side.tell(End(number))
