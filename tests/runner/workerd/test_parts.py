"""Frames of the control connection, sockets that are handed on, and the text of a configuration."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.bundling.bundle import MAIN, Bundle, Module
from emulator.runner.workerd.capnp import Embedded, Reference, Word, text
from emulator.runner.workerd.control_socket import ControlTransport, FrameParser, Opcode
from emulator.runner.workerd.public_sockets import Berth, PublicSockets
from emulator.runner.workerd.stacks import Stacks
from emulator.server.http.listen import PortInUse, bind
from tests.waiting import DEADLINE_S


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A frame as a server sends it: not masked."""
    first = opcode | (0x80 if final else 0)
    if len(payload) < 126:
        return struct.pack("!BB", first, len(payload)) + payload
    if len(payload) < 1 << 16:
        return struct.pack("!BBH", first, 126, len(payload)) + payload
    return struct.pack("!BBQ", first, 127, len(payload)) + payload


@given(
    payloads=st.lists(st.binary(max_size=300), max_size=6),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_bytes_come_through_however_they_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(frame(Opcode.BINARY, payload) for payload in payloads)
    parser = FrameParser()
    received, at = b"", 0
    while at < len(sent):
        size = cuts[at % len(cuts)]
        received += b"".join(piece for _, piece in parser.receive(sent[at : at + size]))
        at += size

    assert received == b"".join(payloads)


def test_a_message_in_parts_and_control_frames_between_them_are_told_apart() -> None:
    sent = (
        frame(Opcode.BINARY, b"ab", final=False)
        + frame(Opcode.PING, b"?")
        + frame(Opcode.CONTINUATION, b"c")
        + frame(Opcode.CLOSE, b"\x03\xe8")
    )

    assert FrameParser().receive(sent) == [
        (Opcode.BINARY, b"ab"),
        (Opcode.PING, b"?"),
        (Opcode.BINARY, b"c"),
        (Opcode.CLOSE, b"\x03\xe8"),
    ]


class Below(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, 20_000_000])
def test_what_is_written_is_masked_and_short_enough_for_workerd(size: int) -> None:
    below = Below()
    ControlTransport(below).write(b"x" * size)

    sizes, at = [], 0
    while at < len(below.written):
        short = below.written[at + 1]
        assert short & 0x80  # masked
        extended = {126: 2, 127: 8}.get(short & 0x7F, 0)
        length = int.from_bytes(below.written[at + 2 : at + 2 + extended], "big") or short & 0x7F
        at += 2 + extended
        assert below.written[at : at + 4] == b"\0\0\0\0"
        at += 4 + length
        sizes.append(length)
    assert sum(sizes) == size and max(sizes) <= 32 * 1024 * 1024


def test_text_cannot_leave_its_quotes() -> None:
    assert (
        text({"a": 'x"y\\\n\x00é', "b": [True, 3]}, str) == r'(a = "x\"y\\\n\x00é", b = [true, 3])'
    )
    assert text([Reference("user"), Word("host")], str) == "[.user, host]"
    assert text(Embedded(b"\0"), lambda content: f"fd{len(content)}") == 'embed "fd1"'


@pytest.fixture
def port() -> Iterator[PublicSockets]:
    made = PublicSockets(bind("127.0.0.1", 0, explicit=True, shared=True))
    yield made
    made.close()


def accepted(port: PublicSockets, berths: list[Berth], count: int = 10) -> list[int]:
    """Connect so often, and return how many connections each berth got."""
    address = port.chosen.sockets[0].getsockname()
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(address))
        found = []
        for berth in berths:
            got = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    stack.enter_context(berth.sockets[0].accept()[0])
                    got += 1
            found.append(got)
        return found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux chooses among sockets of a port")
def test_new_connections_go_to_the_berth_that_was_chosen_last(port: PublicSockets) -> None:
    first = port.chosen
    port.choose(first)
    second = port.berth()
    assert accepted(port, [first, second]) == [10, 0]
    told: list[Berth] = []
    port.changed = told.append
    port.choose(second)
    third = port.berth()
    assert accepted(port, [first, second, third]) == [0, 10, 0]
    port.choose(third)
    port.leave(first)
    port.leave(second)

    assert accepted(port, [third]) == [10]
    assert told == [first, second]


def test_who_is_gone_leaves_its_sockets_to_the_next_one(port: PublicSockets) -> None:
    port.choose(port.chosen)
    port.is_served = False

    assert port.berth() is port.chosen


def test_who_waits_at_a_berth_is_refused_and_who_serves_there_may_still_accept(
    port: PublicSockets,
) -> None:
    berth = port.chosen
    with socket.create_connection(berth.sockets[0].getsockname(), DEADLINE_S) as waiting:
        berth.refuse_waiting()
        with pytest.raises(ConnectionResetError):
            waiting.recv(1)

    with pytest.raises(BlockingIOError):
        berth.sockets[0].accept()
    assert accepted(port, [berth]) == [10]


def test_a_port_that_is_shared_is_in_use_for_everybody_else(port: PublicSockets) -> None:
    number = port.chosen.sockets[0].getsockname()[1]

    with pytest.raises(PortInUse):
        bind("127.0.0.1", number, explicit=True, shared=True)


def test_what_workerd_says_of_code_that_does_not_load_becomes_an_error() -> None:
    bundle = Bundle(MAIN, (Module(MAIN, "esm", b""),), None, frozenset(), False, ())
    said = (
        "service user: Uncaught TypeError: no luck\n  at util.js:3:9\n"
        'Socket "control" refers to service "user" with a named entrypoint "x", but …'
    )

    error = Stacks(Path("/p"), bundle).load_error(said)

    assert error is not None
    assert (error.name, error.message, error.file, error.line) == (
        *("TypeError", "no luck"),
        *("util.js", 3),
    )
    assert error.traceback == "Uncaught TypeError: no luck\n  at util.js:3:9"


def test_only_what_workerd_says_of_the_worker_is_blamed_on_its_code() -> None:
    stacks = Stacks(Path("/p"), Bundle(MAIN, (), None, frozenset(), False, ()))

    assert stacks.load_error("error while loading shared libraries: libc++.so.1") is None
    old = stacks.load_error('service user: This Worker requires compatibility date "2027-01-01"')
    assert old is not None and "npm install -D wrangler@latest" in old.traceback


def test_frames_of_our_own_are_not_printed() -> None:
    stacks = Stacks(Path("/p"), Bundle(MAIN, (), None, frozenset(), False, ()))

    assert stacks.line("    at serve (entry:21:10)") is None
    assert stacks.line("    at runAs (groundfog/primitives.js:16:18)") is None
    for line in ("    at Object.fetch (main:3:1)", "look at entry:21:10", ""):
        assert stacks.line(line) == line
