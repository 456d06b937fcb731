"""A call of a method of the worker: a handler other than `fetch`, or an RPC method."""

from __future__ import annotations

from typing import Any

from ...protocol.exchanges import Invoke, InvokeResult
from ...protocol.framing import FrameTooLarge
from . import conversion
from .calling import settle
from .events import EVENTS
from .exchange import Exchange
from .loader import Worker
from .sdk.pyodide.ffi import JsException
from .sdk.workers.entrypoints import WorkerEntrypoint
from .streams import ReadableStream, Send

_NO_METHODS = frozenset(("ctx", "env"))


class InvokeExchange(Exchange):
    """A method being called with the arguments of the message."""

    def __init__(self, message: Invoke, worker: Worker, send: Send) -> None:
        super().__init__(message, worker, send)
        self._method = message.method
        self._payload = message.payload

    @property
    def label(self) -> str:
        return f"{self._method}()"

    async def _answer(self) -> None:
        body = None if self.incoming is None else ReadableStream(self.incoming)
        args = conversion.decode(self._payload, body) or []
        event = EVENTS.get(self._method)
        if event is not None:
            result: Any = await event(self._instance(), args)
        else:
            result = await settle(self._bound_method()(*args))
        payload, stream = conversion.encode_with_stream(result)
        try:
            self._send(InvokeResult(self.id, stream is not None, payload))
        except FrameTooLarge as error:
            raise JsException(f"{self._method}(): {error}", "RangeError") from None
        if stream is not None:
            await self._stream(stream)

    def _bound_method(self) -> Any:
        """Return the method, if it is one that callers may reach.

        Raises TypeError, worded as workerd does.
        Source: https://github.com/cloudflare/workerd/blob/main/src/workerd/api/worker-rpc.c++
        """
        name = self._method
        hidden = name.startswith("_") or name in _NO_METHODS or hasattr(WorkerEntrypoint, name)
        method = None if hidden else getattr(self._instance(), name, None)
        if not callable(method):
            raise TypeError(f'The RPC receiver does not implement the method "{name}".')
        return method
