"""The methods that every binding has for the connection that calls it.

A binding answers calls by method name, with plain values in and out: None, bool, int, float, str,
bytes, datetime, list, dict, set. It raises `emulator.errors.WorkerError` for what user code may
catch. A `ByteStream`, as the result or inside it, is sent in chunks, as fast as its reader reads.
An `Encoded` result is sent as it is. A stream in the arguments is an async iterator of bytes.
As long as it is not read, its sender waits; when the call is answered, it is closed.
A `Forwarding` binding gets each call as it arrived, in place of that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from emulator.errors import WorkerError

Value = Any  # None | bool | int | float | str | bytes | datetime | list | dict | set


class ByteStream(Struct, frozen=True):
    """What is read piece by piece, such as server-sent events; one at most in a value."""

    chunks: AsyncIterator[bytes]
    content_type: str


class Encoded(Struct, frozen=True):
    """A result as tagged JSON (`emulator/protocol/values.py`), and the stream in it."""

    data: bytes
    stream: ByteStream | None = None


class Call(Struct, frozen=True):
    """A call as it arrived. `payload`: the list of its arguments as tagged JSON; `body`: the stream
    in them. `depth`: how many calls of workers it is inside of.
    """

    method: str
    payload: bytes
    body: AsyncIterator[bytes] | None = None
    depth: int = 0


class Binding(Protocol):
    """A named resource on `env`.

    `keeps_typed_arrays`: the binding gets typed arrays; without it, it gets lists of numbers.
    `arguments_max_bytes`, a dict by method: larger arguments are refused before they are decoded.
    """

    kind: str

    async def call(self, method: str, args: list[Value]) -> Value:
        """Run `method` with positional `args` and return its result.

        Raises WorkerError for everything user code can cause or catch.
        """
        ...

    async def close(self) -> None:
        """Release files and tasks; no call arrives afterwards."""
        ...


@runtime_checkable
class Forwarding(Protocol):
    """A binding that passes calls on without looking into them."""

    async def forward(self, call: Call) -> Encoded:
        """Return the answer of whoever is called. Raises WorkerError."""
        ...


class OnlyForwards:
    """What a binding has beside `forward` that nothing but a worker can call.

    refusal: the text for others that call it.
    """

    refusal: str

    async def call(self, method: str, args: list[Value]) -> Value:
        """Refuse: calls are not looked into here."""
        raise WorkerError(self.refusal)

    async def close(self) -> None:
        """Nothing is held."""


START_BOTH = "Start both workers together: groundfog dev THIS_WORKER OTHER_WORKER."
