"""Messages and frames: every type survives, however it is cut; garbage is a ProtocolError."""

from __future__ import annotations

import dataclasses
import itertools
import json
import struct
import typing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.protocol import framing
from emulator.protocol import message as message_module
from emulator.protocol.exchanges import Data
from emulator.protocol.framing import FrameReader, FrameTooLarge, frame
from emulator.protocol.life import Ping, Pong
from emulator.protocol.message import MESSAGE_TYPES, Message, ProtocolError, decode, encode
from emulator.protocol.runs import RunEnd

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_FIELDS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**53), 2**53),
    str: st.text(max_size=20),
    bool: st.booleans(),
    bytes: st.binary(max_size=50),
    list[str]: st.lists(st.text(max_size=5), max_size=3),
    list[list[Any]]: st.lists(st.lists(_json, max_size=3), max_size=3),
    list[list[str]]: st.lists(st.lists(st.text(max_size=5), min_size=2, max_size=2), max_size=3),
    dict[str, str]: st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    dict[str, Any]: st.dictionaries(st.text(max_size=5), _json, max_size=3),
}


def _message(cls: type[Message]) -> st.SearchStrategy[Message]:
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{f.name: _FIELDS[hints[f.name]] for f in dataclasses.fields(cls)})


any_message = st.sampled_from(sorted(MESSAGE_TYPES)).flatmap(
    lambda name: _message(MESSAGE_TYPES[name])
)


@given(any_message)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(*encode(message)) == message


@settings(max_examples=30)
@given(st.lists(any_message, max_size=3), st.lists(st.floats(0, 1), max_size=8))
def test_frames_survive_every_way_of_cutting_them(sent: list[Message], cuts: list[float]) -> None:
    stream = b"".join(map(frame, sent))
    reader = FrameReader()
    received: list[Message] = []

    places = sorted(round(cut * len(stream)) for cut in cuts)
    for start, end in itertools.pairwise([0, *places, len(stream)]):
        received += reader.receive(stream[start:end])

    assert received == sent
    assert reader.at_boundary()


@pytest.mark.parametrize("size", [1, 3, 4, 7, 8, 9, 50, 1_000])
def test_messages_come_out_as_soon_as_they_are_whole(size: int) -> None:
    sent = [Ping(1), Data(2, b"x" * 40), Ping(3), Data(4)]
    frames = list(map(frame, sent))
    stream = b"".join(frames)
    reader = FrameReader()
    received: list[Message] = []

    for at in range(0, len(stream), size):
        received += reader.receive(stream[at : at + size])
        arrived = min(at + size, len(stream))
        whole = [n for n in range(5) if sum(map(len, frames[:n])) <= arrived][-1]
        assert received == sent[:whole]
        assert reader.at_boundary() is (arrived == sum(map(len, frames[:whole])))


@given(st.binary(max_size=200))
def test_garbage_raises_protocol_error_only(garbage: bytes) -> None:
    try:
        FrameReader().receive(garbage)
    except ProtocolError:
        pass


@given(_json)
def test_any_json_as_a_header_raises_protocol_error_only(header: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(json.dumps(header).encode(), b"")


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ({"type": "ping"}, "ping lacks number"),
        ({"type": "ping", "number": "1"}, "ping.number is str"),
        ({"type": "ping", "number": True}, "ping.number is bool"),
        ({"type": "teleport"}, "unknown message"),
        ({"type": ["ping"]}, "unknown message"),
    ],
)
def test_a_bad_header_is_named(header: dict[str, Any], problem: str) -> None:
    with pytest.raises(ProtocolError, match=problem):
        decode(json.dumps(header).encode(), b"")


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b'{"type":"ping","number":1} x', "a frame header is not JSON: extra data at 26"),
        (b"[", "a frame header is not JSON: Expecting value: line 1 column 2 (char 1)"),
        (b'{"type":"replayed"}', "replayed lacks run, state, asked, declared"),
        (
            b'{"type":"%b"}' % (b"q" * 100),
            'unknown message b\'{"type":"%s\'' % ("q" * 71),
        ),
    ],
)
def test_the_error_of_a_bad_header_says_what_is_wrong(header: bytes, problem: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(header, b"")

    assert str(refused.value) == problem


def test_messages_are_equal_by_type_and_by_every_field() -> None:
    assert Ping(1) == Ping(1)
    assert Ping(1) != Ping(2)
    assert Ping(1) != Pong(1)


def test_a_payload_where_none_belongs_is_refused() -> None:
    with pytest.raises(ProtocolError, match="ping carries no payload"):
        decode(b'{"type":"ping","number":1}', b"x")


def test_a_type_is_read_that_was_never_written_before() -> None:
    @message_module.message
    class Probe(Message):
        type = "probe"
        number: int

    try:
        assert decode(b'{"type":"probe","number":7}', b"") == Probe(7)
    finally:
        del MESSAGE_TYPES["probe"]


def test_unknown_fields_are_ignored_for_the_sake_of_newer_peers() -> None:
    decoded = decode(b'{"type":"ping","number":1,"mood":"fine"}', b"")

    assert decoded == Ping(1)


def test_fields_that_hold_their_default_are_left_out() -> None:
    header, _ = encode(RunEnd(7))

    assert json.loads(header) == {"type": "run_end", "run": 7}


def _emptiest(hint: Any) -> Any:
    return None if hint is Any else (typing.get_origin(hint) or hint)()


@pytest.mark.parametrize("name", sorted(MESSAGE_TYPES))
def test_only_what_a_message_must_have_is_written_of_one_that_has_nothing_else(name: str) -> None:
    cls = MESSAGE_TYPES[name]
    needed = {
        f.name: typing.get_type_hints(cls)[f.name]
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    message = cls(**{each: _emptiest(hint) for each, hint in needed.items()})
    header, payload = encode(message)

    assert set(json.loads(header)) - {"type"} == set(needed) - {"payload"}
    assert decode(header, payload) == message


def test_a_message_that_does_not_fit_is_not_sent() -> None:
    with pytest.raises(FrameTooLarge, match="over the limit of 67,108,864 bytes"):
        frame(Data(1, b"x" * framing.MAX_FRAME_BYTES))


def test_a_message_may_fill_a_frame() -> None:
    around = len(frame(Data(1, b"x"))) - 4 - 1
    message = Data(1, bytes(framing.MAX_FRAME_BYTES - around))

    assert FrameReader().receive(frame(message)) == [message]
    with pytest.raises(FrameTooLarge):
        frame(Data(1, bytes(framing.MAX_FRAME_BYTES - around + 1)))


def test_a_frame_that_claims_too_much_is_refused_before_it_is_received() -> None:
    with pytest.raises(ProtocolError, match="a frame claims"):
        FrameReader().receive(struct.pack(">II", framing.MAX_FRAME_BYTES + 1, 2))


def test_a_header_longer_than_its_frame_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a frame claims"):
        FrameReader().receive(struct.pack(">II", 8, 5))


def test_half_a_frame_is_not_at_a_boundary() -> None:
    reader = FrameReader()

    reader.receive(frame(Ping(1))[:-1])

    assert not reader.at_boundary()
