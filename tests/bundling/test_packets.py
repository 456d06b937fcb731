"""The packets of esbuild's service: bytes there and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.bundling.packets import MalformedPacket, Packet, decode, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=25)
@given(st.integers(0, 2**30), st.booleans(), VALUES)
def test_a_packet_is_read_as_it_was_written(number: int, is_request: bool, value: object) -> None:
    packet = Packet(number, is_request, value)  # type: ignore[arg-type]
    content = encode(packet)

    assert int.from_bytes(content[:4], "little") == len(content) - 4
    assert decode(content[4:]) == packet


@given(st.binary())
def test_other_bytes_are_malformed_or_a_packet(content: bytes) -> None:
    try:
        packet = decode(content)
    except MalformedPacket:
        return
    assert decode(encode(packet)[4:]) == packet


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_packet_cut_short_is_malformed(cut: int) -> None:
    content = encode(Packet(1, True, {"a": ["b", 1]}))[4:]

    with pytest.raises(MalformedPacket):
        decode(content[:-cut])
