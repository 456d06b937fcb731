"""The test's end of the conversation with its host: questions, answers, functions that are called.

A question is sent at once. Who waits for its answer reads the socket, for all who wait: in any
thread, on any event loop, or without one. No thread of ours and no task of ours is left running in
the test process. The host calls functions of the test (mocks that are functions, say); they run in
whoever waits for the host then.
"""

from __future__ import annotations

import inspect
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from groundfog.testing.errors import GroundfogError, HostLost, of_refusal
from groundfog.testing.guest_code import module
from groundfog.testing.loops import Waiter, waiter

__tracebackhide__ = True  # pytest shows the line of the test, not ours

_RECEIVE_BYTES = 256 * 1024


class Pending:
    """A question that was sent. `wake` is called once it is answered."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.done = False
        self.waiter: Waiter | None = None
        self.message: Any = None
        self.body: list[bytes] | None = None  # what follows the answer, if anything does
        self.error: Exception | None = None

    def settle(self, message: Any, error: Exception | None = None) -> None:
        """It is answered, or never will be."""
        self.message, self.error, self.done = message, error, True
        if self.waiter is not None:
            self.waiter.wake()


class Link:
    """The conversation with one host. `last_words` returns what a host that ended has said."""

    def __init__(self, sock: socket.socket, last_words: Callable[[], str]) -> None:
        self._socket = sock
        self._last_words = last_words
        self._messages = module("testing.wire")
        self._exchanges = module("protocol.exchanges")
        self._bindings = module("protocol.bindings")
        self._framing = module("protocol.framing")
        self._values = module("protocol.values")
        self._reader = self._framing.FrameReader()
        self._sending = threading.Lock()
        self._reading = threading.Lock()
        self._pending: dict[int, Pending] = {}
        self._bodies: dict[int, Pending] = {}
        self._functions: dict[int, Callable[..., Any]] = {}
        self._requests: deque[Any] = deque()
        self._last = -1
        self._last_function = 0
        self._leader: Pending | None = None  # of the tasks that wait, the one that reads
        self._lost: HostLost | None = None
        self.errors: list[BaseException] = []  # of functions of the test

    # --- questions

    def ask(self, worker: int, what: str, **args: Any) -> Any:
        """Ask, wait without an event loop, and return the answer. Raises GroundfogError."""
        return self.answer(self.wait(self.send(worker, what, args)))

    async def asking(self, worker: int, what: str, **args: Any) -> Any:
        """Ask, let the event loop go on, and return the answer. Raises GroundfogError."""
        return self.answer(await self.waiting(self.send(worker, what, args)))

    def tell(self, worker: int, what: str, **args: Any) -> None:
        """Say something that has no answer, and holds for every question after it."""
        self._write(self._messages.Tell(worker, what, self._values.encode(args)))

    def send(self, worker: int, what: str, args: dict[str, Any]) -> Pending:
        """Send a question."""
        payload = self._values.encode(args)
        return self._sent(lambda number: self._messages.Ask(number, worker, what, payload))

    def call(self, worker: int, binding: str, method: str, payload: bytes) -> Pending:
        """Send the call of a binding."""
        make = self._bindings.BindingCall
        return self._sent(lambda number: make(number, binding, method, worker, payload=payload))

    def answer(self, pending: Pending) -> Any:
        """Return the answer to a question. Raises GroundfogError."""
        if pending.error is not None:
            raise pending.error
        message = pending.message
        if isinstance(message, self._messages.Refusal):
            raise of_refusal(message.kind, message.text, self._values.decode(message.payload))
        return self._values.decode(message.payload)

    def function(self, function: Callable[..., Any]) -> int:
        """Return a number by which the host can call a function of the test.

        It is called with plain values, and returns bytes.
        """
        self._last_function += 1
        self._functions[self._last_function] = function
        return self._last_function

    @property
    def is_lost(self) -> bool:
        """Whether the host has ended."""
        return self._lost is not None

    def close(self) -> None:
        """End the conversation: the host ends too."""
        self._socket.close()

    # --- waiting

    def wait(self, pending: Pending) -> Pending:
        """Return when a question is answered."""
        while not pending.done:
            self._serve_requests()
            if pending.done:
                break
            with self._reading:
                if not pending.done and not self._requests:
                    self._receive(0)
        return pending

    async def waiting(self, pending: Pending) -> Pending:
        """Return when a question is answered; the event loop goes on meanwhile."""
        me = pending.waiter = waiter()
        try:
            while not pending.done:
                await self._serve_requests_async()
                if pending.done:
                    break
                if self._leader is None:
                    self._leader = pending
                await me.wait(self._socket.fileno() if self._leader is pending else None)
                if self._leader is pending and not pending.done:
                    with self._reading:
                        self._receive(socket.MSG_DONTWAIT)
        finally:
            pending.waiter = None
            if not pending.done:
                self.tell(0, "cancel", id=pending.number)
                self._pending.pop(pending.number, None)
            if self._leader is pending:
                self._leader = None
                self._appoint()
        return pending

    def _appoint(self) -> None:
        """Let another task that waits read from now on."""
        for other in self._pending.values():
            if other.waiter is not None:
                other.waiter.wake()
                return

    # --- messages

    def _sent(self, make: Callable[[int], Any]) -> Pending:
        with self._sending:
            self._last += 2  # odd numbers, as guests use
            pending = self._pending[self._last] = Pending(self._last)
        if self._lost is not None:
            self._pending.pop(pending.number)
            pending.settle(None, self._lost)
        else:
            self._write(make(pending.number))
        return pending

    def _write(self, message: Any) -> None:
        data = self._framing.frame(message)
        try:
            with self._sending:
                self._socket.sendall(data)
        except OSError:
            self._end()

    def _receive(self, flags: int) -> None:
        try:
            data = self._socket.recv(_RECEIVE_BYTES, flags)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        for message in self._reader.receive(data):
            self._take(message)

    def _take(self, message: Any) -> None:
        exchanges, bindings = self._exchanges, self._bindings
        match message:
            case self._messages.Request():
                self._requests.append(message)
                if self._leader is not None and self._leader.waiter is not None:
                    self._leader.waiter.wake()
            case bindings.BindingResult() if message.has_body:
                pending = self._pending.pop(message.id, None)
                if pending is not None:
                    pending.body, pending.message = [], message
                    self._bodies[message.id] = pending
            case exchanges.Data():
                self._piece(message)
            case exchanges.End():
                pending = self._bodies.pop(message.id, None)
                if pending is not None:
                    error = GroundfogError(message.error) if message.error else None
                    pending.settle(pending.message, error)
            case _:
                pending = self._pending.pop(getattr(message, "id", 0), None)
                if pending is not None:
                    pending.settle(message)

    def _piece(self, message: Any) -> None:
        pending = self._bodies.get(message.id)
        if pending is not None and pending.body is not None:
            pending.body.append(message.payload)
            self._write(self._exchanges.Credit(message.id, len(message.payload)))

    def _end(self) -> None:
        if self._lost is None:
            said = self._last_words()
            self._lost = HostLost(
                "The process that runs the workers ended." + (f" It said:\n{said}" if said else "")
            )
        waiting = [*self._pending.values(), *self._bodies.values()]
        self._pending.clear()
        self._bodies.clear()
        for pending in waiting:
            pending.settle(None, self._lost)

    # --- functions of the test

    def _serve_requests(self) -> None:
        while self._requests:
            request = self._requests.popleft()
            try:
                result = self._called(request)
                if inspect.isawaitable(result):
                    if inspect.iscoroutine(result):
                        result.close()
                    raise TypeError(
                        "A function of this test is async, and nothing awaits it here:"
                        " use async_worker, or a plain function."
                    )
                self._return(request, result)
            except Exception as error:
                self._raise(request, error)

    async def _serve_requests_async(self) -> None:
        while self._requests:
            request = self._requests.popleft()
            try:
                result = self._called(request)
                if inspect.isawaitable(result):
                    result = await result
                self._return(request, result)
            except Exception as error:
                self._raise(request, error)

    def _called(self, request: Any) -> Any:
        return self._functions[request.function](*self._values.decode(request.payload))

    def _return(self, request: Any, result: bytes) -> None:
        self._write(self._messages.Returned(request.id, payload=result))

    def _raise(self, request: Any, error: Exception) -> None:
        name = getattr(error, "name", None)
        name = name if isinstance(name, str) and name else type(error).__name__
        self._write(self._messages.Returned(request.id, name, str(error)))
