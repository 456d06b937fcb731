"""The host's end of the conversation with one test process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from emulator.protocol import values
from emulator.protocol.bindings import BindingCall
from emulator.protocol.exchanges import Cancel, Credit, Data, End
from emulator.protocol.framing import FrameReader, frame
from emulator.protocol.message import Message
from emulator.testing.wire import Ask, Request, Returned, Tell


class TestFailed(Exception):
    """A function of the test raised; the error is the test's own."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}" if message else name)
        self.name = name
        self.message = message


class Connection(asyncio.Protocol):
    """Passes on what the test process asks, and calls functions of the test.

    ended: called when the test process has gone.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        self.asked: Callable[[Ask], None] = _nobody
        self.told: Callable[[Tell], None] = _nobody
        self.called: Callable[[BindingCall], None] = _nobody
        self.body: Callable[[Data | End | Credit | Cancel], None] = _nobody
        self._ended = ended
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._requests: dict[int, asyncio.Future[Any]] = {}
        self._last_request = 0

    @property
    def unread_bytes(self) -> int:
        """How much the test process has not read yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def is_waiting_for_test(self) -> bool:
        """Whether a function of the test has been called and has not returned."""
        return bool(self._requests)

    def send(self, message: Message) -> None:
        """Send a message."""
        if self._transport is not None:
            self._transport.write(frame(message))

    async def room(self) -> None:
        """Return at once: what a test asks for, it reads."""

    async def call(self, function: int, *args: Any) -> Any:
        """Call a function of the test, which runs when the test waits for something of ours.

        Raises TestFailed.
        """
        self._last_request += 1
        returned: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._requests[self._last_request] = returned
        self.send(Request(self._last_request, function, values.encode(list(args))))
        return await returned

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is not an asyncio.Transport

    def data_received(self, data: bytes) -> None:
        for message in self._reader.receive(data):
            match message:
                case Ask():
                    self.asked(message)
                case Tell():
                    self.told(message)
                case BindingCall():
                    self.called(message)
                case Data() | End() | Credit() | Cancel():
                    self.body(message)
                case Returned():
                    self._settle(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended()

    def _settle(self, message: Returned) -> None:
        returned = self._requests.pop(message.id, None)
        if returned is None or returned.done():
            return
        if message.name:
            returned.set_exception(TestFailed(message.name, message.message))
        else:
            returned.set_result(message.payload)


def _nobody(message: Message) -> None:
    return None
