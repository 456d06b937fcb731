"""Credit windows: a sender never exceeds its room, and never starves while its reader reads.

And both ends of a body: what they send, in which order, and how a body is ended and cut short.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.protocol.exchanges import Cancel, Credit, Data, End
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.windows import (
    CHUNK_BYTES,
    WINDOW_BYTES,
    Incoming,
    Outgoing,
    ReceiveWindow,
    SendWindow,
)

ID = 3
CREDIT_AFTER_BYTES = WINDOW_BYTES // 4


def test_a_sender_gets_no_more_than_the_window_without_credit() -> None:
    window = SendWindow()

    granted = [window.take(WINDOW_BYTES * 2) for _ in range(10)]

    assert sum(granted) == WINDOW_BYTES
    assert max(granted) == CHUNK_BYTES


def test_credit_lets_a_sender_go_on() -> None:
    window = SendWindow()
    while window.take(WINDOW_BYTES):
        pass

    window.credit(10)

    assert window.take(100) == 10


def test_credit_is_added_to_the_room_that_is_left() -> None:
    window = SendWindow()
    assert window.take(7) == 7

    window.credit(10)

    assert sum(window.take(WINDOW_BYTES) for _ in range(9)) == WINDOW_BYTES - 7 + 10


def test_a_peer_that_overruns_the_window_is_noticed() -> None:
    window = ReceiveWindow()

    assert window.received(WINDOW_BYTES)
    assert not window.received(1)


def test_credit_is_given_for_a_quarter_of_the_window_at_once_and_is_room_again() -> None:
    window = ReceiveWindow()
    assert window.received(2 * CREDIT_AFTER_BYTES)

    for _ in range(2):
        assert window.consumed(CREDIT_AFTER_BYTES - 1) == 0
        assert window.consumed(1) == CREDIT_AFTER_BYTES
    assert window.received(WINDOW_BYTES)
    assert not window.received(1)


@given(st.integers(0, WINDOW_BYTES * 4), st.integers(CHUNK_BYTES // 64, CHUNK_BYTES))
def test_a_body_always_gets_through_a_reader_that_keeps_reading(
    body_bytes: int, read_size: int
) -> None:
    sender, receiver = SendWindow(), ReceiveWindow()
    remaining, buffered = body_bytes, 0

    while remaining or buffered:
        sent = sender.take(remaining)
        remaining -= sent
        buffered += sent
        assert receiver.received(sent)
        taken = min(buffered, read_size)
        buffered -= taken
        sender.credit(receiver.consumed(taken))
        assert sent or taken, "neither side can move"


async def _all_of(body: Incoming) -> bytes:
    return b"".join([piece async for piece in body])


def test_a_body_is_read_in_order_while_it_comes_and_ends_with_its_end() -> None:
    async def story() -> None:
        body = Incoming(ID, lambda message: None)

        async def feed() -> None:
            for piece in (b"a", b"", b"b"):
                body.data(piece)
            body.end()

        body.data(b"early ")
        text, _ = await asyncio.gather(_all_of(body), feed())
        assert text == b"early ab"
        assert body.ended

    asyncio.run(story())


def test_a_reader_that_waits_is_woken_by_the_end_and_by_an_error() -> None:
    async def story() -> None:
        async def end(error: Exception | None) -> None:
            bodies[error is not None].end(error)

        bodies = [Incoming(ID, lambda message: None) for _ in range(2)]
        text, _ = await asyncio.gather(_all_of(bodies[0]), end(None))
        assert text == b""
        with pytest.raises(EOFError):
            await asyncio.gather(_all_of(bodies[1]), end(EOFError()))

    asyncio.run(story())


def test_what_came_before_an_error_is_read_before_it_is_raised() -> None:
    async def story() -> None:
        body = Incoming(ID, lambda message: None)
        body.data(b"whole")
        body.end(EOFError("cut off"))
        body.end()  # too late
        body.data(b"more")

        assert await anext(body) == b"whole"
        with pytest.raises(EOFError, match="cut off"):
            await anext(body)

    asyncio.run(story())


def test_a_reader_gives_credit_as_it_reads_and_none_after_the_end() -> None:
    async def story() -> None:
        sent: list[Message] = []
        body = Incoming(ID, sent.append)
        for _ in range(4):
            body.data(bytes(CREDIT_AFTER_BYTES))

        assert sent == []
        await anext(body)
        assert sent == [Credit(ID, CREDIT_AFTER_BYTES)]
        body.end()
        await anext(body)
        assert len(sent) == 1

    asyncio.run(story())


def test_data_that_there_was_no_room_for_breaks_the_protocol() -> None:
    body = Incoming(ID, lambda message: None)
    body.data(bytes(WINDOW_BYTES))

    with pytest.raises(ProtocolError, match="exchange 3: more data than there was room for"):
        body.data(b"x")


def test_a_reader_that_cancels_says_so_once_and_reads_nothing_more() -> None:
    async def story() -> None:
        sent: list[Message] = []
        body = Incoming(ID, sent.append)
        body.data(b"unread")

        body.cancel()
        body.cancel()
        body.data(b"on its way")
        body.end(EOFError())

        assert await _all_of(body) == b""
        assert sent == [Cancel(ID)]

    asyncio.run(story())


def test_a_body_that_has_ended_is_cancelled_in_silence_and_can_still_be_read() -> None:
    async def story() -> None:
        sent: list[Message] = []
        body = Incoming(ID, sent.append)
        body.data(b"unread")
        body.end()

        body.cancel()

        assert await _all_of(body) == b"unread"
        assert sent == []

    asyncio.run(story())


def _size(sent: list[Message]) -> int:
    return sum(len(message.payload) for message in sent if isinstance(message, Data))


def test_a_body_is_sent_in_pieces_as_far_as_there_is_room_and_on_with_credit() -> None:
    async def story() -> None:
        data = bytes(range(256)) * 1_024 + b"the rest"
        sent: list[Message] = []
        body = Outgoing(ID, sent.append)

        async def give_credit() -> None:
            assert sent == [
                Data(ID, data[at : at + CHUNK_BYTES]) for at in range(0, WINDOW_BYTES, CHUNK_BYTES)
            ]
            body.credit(3)
            body.credit(100)

        await asyncio.gather(body.write(data), give_credit())
        assert sent[4:] == [Data(ID, b"the rest")]
        body.end()
        assert sent[5:] == [End(ID)]

    asyncio.run(story())


def test_a_writer_that_waits_for_room_is_woken_when_its_reader_cancels() -> None:
    async def story() -> None:
        sent: list[Message] = []
        body = Outgoing(ID, sent.append)

        async def cancel() -> None:
            body.cancel()
            body.credit(100)

        await asyncio.gather(body.write(bytes(WINDOW_BYTES + 1)), cancel())
        assert _size(sent) == WINDOW_BYTES
        await body.write(b"more")
        assert _size(sent) == WINDOW_BYTES

    asyncio.run(story())


def _pumped(body: Outgoing, pieces: AsyncIterator[bytes]) -> None:
    asyncio.run(body.pump(pieces, lambda raised: f"told: {raised}"))


def test_all_that_a_source_gives_is_sent_and_then_the_end() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    sent: list[Message] = []
    _pumped(Outgoing(ID, sent.append), pieces())

    assert sent == [Data(ID, b"a"), Data(ID, b"b"), End(ID)]


def test_the_reader_is_told_why_a_source_gave_no_more() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        raise OSError("no disk")

    sent: list[Message] = []
    _pumped(Outgoing(ID, sent.append), pieces())

    assert sent == [Data(ID, b"a"), End(ID, "told: no disk")]


def test_a_source_is_not_read_further_than_its_reader_reads() -> None:
    read: list[bytes] = []

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"a", b"b", b"c"):
            read.append(piece)
            if piece == b"b":
                body.cancel()
            yield piece

    sent: list[Message] = []
    body = Outgoing(ID, sent.append)
    _pumped(body, pieces())

    assert read == [b"a", b"b"]
    assert sent == [Data(ID, b"a"), End(ID)]
