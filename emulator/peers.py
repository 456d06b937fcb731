"""The workers that can call one another: by name, and their guests by address.

A call passes through here as it is: its arguments and its result are not looked into.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakValueDictionary

from bindings.binding import ByteStream, Call, Encoded
from bindings.service.service import FETCH, Callee, Target
from emulator.errors import EmulatorError, GuestError, WorkerError
from emulator.protocol import values
from emulator.protocol.framing import FrameTooLarge
from emulator.runner import payloads
from emulator.runner.requests import (
    FetchReply,
    FetchRequest,
    HandlerError,
    LoadError,
    RpcReply,
    RpcRequest,
)

# Source: https://developers.cloudflare.com/workers/platform/limits/ (invocations of workers in one
# request).
DEPTH_MAX = 32
_CONTENT_TYPE = "application/octet-stream"  # of a stream; the message beside it says what it is


class Serving(Protocol):
    """A worker that runs, as its supervisor does."""

    async def fetch(self, request: FetchRequest) -> FetchReply: ...
    async def rpc(self, request: RpcRequest) -> RpcReply: ...


class Owner(Protocol):
    """A guest that others may have functions of."""

    async def rpc(self, request: RpcRequest) -> RpcReply: ...


class Peers:
    """Satisfies `Workers`; `stubs` is what a guest calls functions of another one through."""

    def __init__(self) -> None:
        self._workers: dict[str, Peer] = {}
        self._guests: WeakValueDictionary[str, Owner] = WeakValueDictionary()
        self._joined = 0
        self.stubs = Stubs(self._guests)

    def add(self, name: str, serving: Serving) -> None:
        """Let a worker be called by its name."""
        self._workers[name] = Peer(name, serving)

    def remove(self, name: str) -> None:
        """A worker has stopped."""
        self._workers.pop(name, None)

    def find(self, name: str) -> Callee | None:
        """Return the worker with this name; None: it does not run."""
        return self._workers.get(name)

    def address(self, guest: Owner) -> str:
        """Return a new address, at which others reach what the guest sends."""
        self._joined += 1
        address = str(self._joined)
        self._guests[address] = guest
        return address


@dataclass(frozen=True, slots=True)
class Peer:
    """One worker, as the others call it. Satisfies `Callee`."""

    name: str
    serving: Serving

    async def answer(self, target: Target, call: Call) -> Encoded:
        """Let the worker answer a call. Raises WorkerError."""
        _check_depth(target.worker, call.depth)
        try:
            if call.method == FETCH:
                return await self._fetch(target, call)
            return _encoded(
                await self.serving.rpc(
                    RpcRequest(
                        call.method,
                        call.payload,
                        call.body,
                        _entrypoint(target),
                        target.props,
                        depth=call.depth + 1,
                    )
                )
            )
        except (EmulatorError, FrameTooLarge) as error:
            raise _told(error, f"worker {self.name}") from error

    async def _fetch(self, target: Target, call: Call) -> Encoded:
        """Answer `fetch(method, url, headers, body)` with `{"status", "headers", "body", …}`."""
        shapes = values.Shapes(body=lambda: call.body)
        method, url, headers, body = values.decode(call.payload, shapes)
        request = FetchRequest(
            method,
            url,
            [(str(name), str(value)) for name, value in headers],
            _whole(body) if isinstance(body, bytes) else body,
            entrypoint=_entrypoint(target),
            props=target.props,
            depth=call.depth + 1,
        )
        reply = await self.serving.fetch(request)
        body = None if reply.body is None else _Body(reply.body, reply)
        answer = {
            "status": reply.status,
            "status_text": reply.status_text,
            "headers": [list(pair) for pair in reply.headers],
            "body": None if body is None else ByteStream(body, _CONTENT_TYPE),
        }
        return Encoded(*payloads.encode(answer))


class Stubs:
    """Calls functions, and methods of objects, that stayed in their guest."""

    kind = "stub"

    def __init__(self, guests: WeakValueDictionary[str, Owner]) -> None:
        self._guests = guests

    async def forward(self, call: Call) -> Encoded:
        """Call `"<owner> <number> <method>"`. Raises WorkerError."""
        _check_depth("a function of another worker", call.depth)
        owner, number, method = call.method.split(" ", 2)
        guest = self._guests.get(owner)
        if guest is None:
            raise WorkerError("The worker that this function came from was loaded anew.")
        request = RpcRequest(
            method, call.payload, call.body, stub=int(number), depth=call.depth + 1
        )
        try:
            return _encoded(await guest.rpc(request))
        except (EmulatorError, FrameTooLarge) as error:
            raise _told(error, "the worker that this function came from") from error

    async def call(self, method: str, args: list[Any]) -> Any:
        """Refuse: calls are not looked into here."""
        raise WorkerError("Functions can only be called by workers.")

    async def close(self) -> None:
        """Nothing is held."""


class _Body:
    """The body of a reply; closing it tells the guest that sends it."""

    def __init__(self, pieces: AsyncIterator[bytes], reply: FetchReply | RpcReply) -> None:
        self._pieces = pieces
        self._reply = reply

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._pieces)
        except HandlerError as error:
            raise WorkerError(error.message, name=error.name) from error

    async def aclose(self) -> None:
        await self._reply.close()


def _encoded(reply: RpcReply) -> Encoded:
    if reply.body is None:
        return Encoded(reply.payload)
    return Encoded(reply.payload, ByteStream(_Body(reply.body, reply), _CONTENT_TYPE))


def _entrypoint(target: Target) -> str:
    return "" if target.entrypoint in ("default", "Default") else target.entrypoint


def _check_depth(called: str, depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise WorkerError(
            f"{called} was called from {DEPTH_MAX} calls inside one another: one request may call "
            f"at most {DEPTH_MAX} workers. Do they call each other in a circle?"
        )


def _told(error: Exception, who: str) -> WorkerError:
    """Return what the caller gets."""
    match error:
        case HandlerError():
            return WorkerError(error.message, name=error.name)
        case LoadError():
            return WorkerError(f"{who} cannot be called: its code does not load ({error})")
        case FrameTooLarge():
            return WorkerError(str(error), name="RangeError")
        case GuestError():
            return WorkerError(f"{who} cannot be called: {error}")
    return WorkerError(str(error))


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
