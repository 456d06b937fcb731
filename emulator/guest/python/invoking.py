"""A call of a method of the worker: a handler other than `fetch`, or an RPC method."""

from __future__ import annotations

from typing import Any

from ...protocol.exchanges import Invoke, InvokeFailed, InvokeResult
from ...protocol.framing import FrameTooLarge
from . import conversion, tracebacks
from .calling import relaxed_call, settle
from .events import EVENTS
from .exchange import Exchange
from .loader import Worker
from .objects.socket_events import SOCKET_EVENTS
from .sdk.pyodide.ffi import JsException
from .sdk.workers.entrypoints import DurableObject, WorkerEntrypoint
from .streams import ReadableStream, Send
from .stubs import Stubs

_NO_METHODS = frozenset(("ctx", "env"))
# Source: https://github.com/cloudflare/workerd/blob/main/src/workerd/api/worker-rpc.c++
# (isReservedName).
_RESERVED = frozenset(
    "alarm connect constructor dup fetch webSocketClose webSocketError webSocketMessage".split()
)


class InvokeExchange(Exchange):
    """A method being called with the arguments of the message."""

    def __init__(self, message: Invoke, worker: Worker, send: Send, stubs: Stubs) -> None:
        super().__init__(message, worker, send)
        self._stubs = stubs
        self._method = message.method
        self._payload = message.payload

    @property
    def label(self) -> str:
        return f"{self._method}()"

    async def _answer(self) -> None:
        args = conversion.decode(self._payload, self._stream_of_args(), self._stubs) or []
        if self.trace is not None:
            self.trace.called(self._method, args, is_rpc=self._message.rpc)
        event = None if self._message.rpc else EVENTS.get(self._method)
        of_socket = None if self._message.rpc else SOCKET_EVENTS.get(self._method)
        if of_socket is not None and self.object is not None:
            result: Any = await of_socket(self._instance(), self.object.sockets, args)
        elif event is not None:
            result = await event(self._instance(), args)
        else:
            result = await settle(self._result_of(self._called(), args))
        if event is not None or of_socket is not None:
            self._trace_failure(result)
        functions = self._stubs if self._message.rpc else None
        await self._reply(*conversion.encode_with_stream(result, functions))

    def _trace_failure(self, told: dict[str, Any]) -> None:
        """Note what a handler raised, which its result tells the host."""
        if self.trace is not None and told.get("outcome") == "exception":
            self.trace.failed(*told["error"])

    def _stream_of_args(self) -> ReadableStream | None:
        return None if self.incoming is None else ReadableStream(self.incoming)

    async def _reply(self, payload: bytes, stream: ReadableStream | None) -> None:
        try:
            self._send(InvokeResult(self.id, stream is not None, payload))
        except FrameTooLarge as error:
            raise JsException(f"{self._method}(): {error}", "RangeError") from None
        if stream is not None:
            await self._stream(stream)

    def _result_of(self, method: Any, args: list[Any]) -> Any:
        """Call a method; the handler `test` has three arguments, which are None, or fewer."""
        if self._method == "test" and not args and not self._message.rpc:
            return relaxed_call(method, None, None, None)
        return method(*args)

    def _called(self) -> Any:
        message = self._message
        if message.stub:
            return self._stubs.called(message.stub, message.method)
        if message.rpc and message.method in _RESERVED:
            text = f"'{message.method}' is a reserved method and cannot be called over RPC."
            raise JsException(text, "TypeError")
        return self._bound_method()

    def _failed(self, error: BaseException) -> None:
        """Tell the host; another worker gets an error of Python's as workerd shows it."""
        if self._message.rpc and not isinstance(error, JsException):
            report = tracebacks.format_error(error)
            self._send(InvokeFailed(self.id, "Error", f"PythonError: {report}", report))
        else:
            super()._failed(error)

    def _bound_method(self) -> Any:
        """Return the method, if it is one that callers may reach.

        Raises JavaScript's TypeError, worded as workerd does.
        Source: https://github.com/cloudflare/workerd/blob/main/src/workerd/api/worker-rpc.c++
        """
        name = self._method
        base = WorkerEntrypoint if self.object is None else DurableObject
        hidden = name.startswith("_") or name in _NO_METHODS or hasattr(base, name)
        method = None if hidden else getattr(self._instance(), name, None)
        if not callable(method):
            text = f'The RPC receiver does not implement the method "{name}".'
            raise JsException(text, "TypeError")
        return method
