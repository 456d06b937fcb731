"""Credit windows: a sender never exceeds its room, and never starves while its reader reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emulator.protocol.windows import CHUNK_BYTES, WINDOW_BYTES, ReceiveWindow, SendWindow


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


def test_a_peer_that_overruns_the_window_is_noticed() -> None:
    window = ReceiveWindow()

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
