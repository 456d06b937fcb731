"""What stands in for another worker: an object of the test answers calls of a service binding."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from bindings.binding import Binding, Call, Encoded, OnlyForwards
from bindings.http import whole
from bindings.service.service import FETCH
from emulator import forwarding
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.runner.requests import FetchReply
from emulator.testing.connection import TestFailed

KIND = "service"
CallTest = Callable[..., Awaitable[Any]]


class StandIn(OnlyForwards):
    """A service binding. functions: by the names of bindings, numbers of functions of the test.

    A binding without one is called as it is.
    """

    kind = KIND

    def __init__(
        self, name: str, binding: Binding, functions: dict[str, int], call: CallTest
    ) -> None:
        self._name = name
        self._binding: Any = binding
        self._functions = functions
        self._call = call
        self.refusal = f"{name} is another worker, which only workers can call."

    async def forward(self, call: Call) -> Encoded:
        """Let the test answer, or the worker that is bound. Raises WorkerError."""
        function = self._functions.get(self._name)
        if function is None:
            found: Encoded = await self._binding.forward(call)
            return found
        try:
            if call.method == FETCH:
                return forwarding.encoded_fetch(await self._fetched(function, call))
            if call.body is not None:
                raise WorkerError(f"What stands in for {self._name} takes no streams.")
            return Encoded(await self._call(function, call.method, call.payload))
        except TestFailed as error:
            raise WorkerError(error.message, name=error.name) from None

    async def _fetched(self, function: int, call: Call) -> FetchReply:
        request = forwarding.fetch_request(call)
        pieces = [] if request.body is None else [piece async for piece in request.body]
        record = {
            "method": request.method,
            "url": request.url,
            "headers": [list(pair) for pair in request.headers],
            "body": b"".join(pieces),
        }
        answer = values.decode(await self._call(function, FETCH, record))
        headers = [(name, value) for name, value in answer["headers"]]
        return FetchReply(answer["status"], "", headers, whole(answer["body"]), _nothing)


async def _nothing() -> None:
    return None
