"""Frames of the runner protocol, as both ends read them, and what the host makes of each."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import logging
import typing
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from bindings.binding import Binding
from emulator.protocol.framing import FrameReader, frame
from emulator.protocol.message import MESSAGE_TYPES, Message, ProtocolError
from emulator.runner.connection import Connection
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import NUMBERS, changed_bytes, json_value, text

_FIELDS: dict[Any, typing.Callable[[Random], Any]] = {
    int: lambda random: (
        int(random.choice(NUMBERS)) if random.random() < 0.3 else random.randrange(5)
    ),
    str: text,
    bool: lambda random: random.random() < 0.5,
    bytes: lambda random: random.choice((b"", b"[]", b"null", b'{"$ref":0}', b"\xff", b"x" * 300)),
    list[str]: lambda random: [text(random)],
    list[list[str]]: lambda random: [[text(random), text(random)]],
    list[list[Any]]: lambda random: [[json_value(random, 1), json_value(random, 1)]],
    dict[str, str]: lambda random: {text(random): text(random)},
    dict[str, Any]: lambda random: {text(random): json_value(random, 2)},
}


def random_message(random: Random) -> Message:
    """Return a message of any type whose fields have the right types and hold anything."""
    cls = MESSAGE_TYPES[random.choice(sorted(MESSAGE_TYPES))]
    hints = typing.get_type_hints(cls)
    required = [f for f in dataclasses.fields(cls)]
    given = {
        f.name: _FIELDS[hints[f.name]](random)
        for f in required
        if f.default is dataclasses.MISSING or random.random() < 0.5
    }
    return cls(**given)


class Frames(Target):
    """An input is JSON: the pieces that are received one after the other, in base64."""

    name = "frames"
    about = "bytes on the socket between host and guest: frames, headers, messages in any order"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._defects = _Defects()
        logging.getLogger("emulator").addHandler(self._defects)

    def close(self) -> None:
        logging.getLogger("emulator").removeHandler(self._defects)

    def make(self, random: Random) -> bytes:
        stream = b"".join(frame(random_message(random)) for _ in range(random.randint(1, 6)))
        if random.random() < 0.6:
            stream = changed_bytes(random, stream)
        pieces = []
        while stream:
            size = random.choice((1, 7, 64, len(stream)))
            pieces.append(base64.b64encode(stream[:size]).decode())
            stream = stream[size:]
        return json.dumps(pieces, indent=0).encode()

    def check(self, data: bytes) -> None:
        try:
            pieces = [base64.b64decode(piece) for piece in json.loads(data)]
        except ValueError:
            return  # made too small
        self._check_reader(pieces)
        asyncio.run(self._check_host(pieces))

    def _check_reader(self, pieces: list[bytes]) -> None:
        """Whatever comes are messages that can be sent again as they are, or a ProtocolError."""
        reader = FrameReader()
        try:
            for piece in pieces:
                for message in reader.receive(piece):
                    again = FrameReader().receive(frame(message))
                    if again != [message] and repr(again) != repr([message]):
                        raise Broken(f"{message} comes back as {again}")
        except ProtocolError:
            pass

    async def _check_host(self, pieces: list[bytes]) -> None:
        """The host's end survives everything, and says at most that the protocol was broken."""
        broken: list[ProtocolError] = []
        connection = Connection(
            asyncio.get_running_loop(), _BINDINGS, lambda error, run: broken.append(error)
        )
        connection.attach(_Nobody())
        connection.connection_made(_Transport())
        for piece in pieces:
            if not broken:
                connection.data_received(piece)
        await asyncio.sleep(0)
        await connection.calls.close()
        if connection.loaded.done():
            connection.loaded.exception()
        heard, self._defects.heard = self._defects.heard, []
        if heard:
            raise Broken(f"the log says: {heard[0]}")


class _Echo(Binding):
    """Answers with what it was asked."""

    kind = "d1"

    async def call(self, method: str, args: list[Any]) -> Any:
        return args

    async def close(self) -> None:
        pass


_BINDINGS: Mapping[str, Binding] = {"DB": _Echo(), "": _Echo()}


class _Nobody:
    """Hears what workflow runs say, and does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *heard: None


class _Transport(asyncio.Transport):
    """Takes what is written."""

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        pass


class _Defects(logging.Handler):
    """What is logged because of a defect of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(logging.Formatter().format(record))
