"""WebSocket messages in the bodies of an exchange: whole again, however the bytes are cut."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.protocol import web_sockets as wire
from emulator.protocol.message import ProtocolError

messages = st.lists(
    st.tuples(st.sampled_from((wire.TEXT, wire.BINARY, wire.CLOSE)), st.binary(max_size=40)),
    max_size=5,
)


@given(messages, st.integers(1, 9))
def test_messages_come_out_whole_and_in_order_whatever_the_pieces(
    sent: list[tuple[int, bytes]], size: int
) -> None:
    stream = b"".join(wire.encode(kind, payload) for kind, payload in sent)
    decoder, heard = wire.Decoder(), []

    for at in range(0, len(stream), size):
        heard += decoder.feed(stream[at : at + size])

    assert heard == sent
    assert decoder.feed(b"") == []


def test_a_message_is_its_kind_its_length_and_its_payload() -> None:
    assert wire.encode(wire.BINARY, b"ab") == b"\x02\x00\x00\x00\x02ab"
    assert wire.encode_close(1000, "é") == b"\x08\x00\x00\x00\x04\x03\xe8\xc3\xa9"
    assert wire.encode_close(None, "") == b"\x08\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", (1005, "")),
        (b"\x03", (1005, "")),
        (b"\x03\xe8", (1000, "")),
        (b"\x0f\xa0bye\xff", (4000, "bye\ufffd")),
    ],
)
def test_a_close_has_a_code_and_a_reason_or_neither(
    payload: bytes, expected: tuple[int, str]
) -> None:
    assert wire.close_of(payload) == expected


def test_what_is_no_message_is_a_breach_of_the_protocol() -> None:
    largest = struct.pack(">BI", wire.TEXT, wire.MESSAGE_MAX_BYTES)

    assert wire.Decoder().feed(largest) == []
    with pytest.raises(ProtocolError, match="^a WebSocket message of kind 9 and 5 bytes$"):
        wire.Decoder().feed(struct.pack(">BI", 9, 5))
    with pytest.raises(ProtocolError, match="of kind 1 and 33554433 bytes"):
        wire.Decoder().feed(struct.pack(">BI", wire.TEXT, wire.MESSAGE_MAX_BYTES + 1))
