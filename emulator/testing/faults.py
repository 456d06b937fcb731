"""Between a worker under test and its bindings: calls are counted, and may be faulty."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

from msgspec import Struct, field

from bindings.binding import Binding, Call, Encoded
from emulator.errors import WorkerError

QUEUE = "queues"  # the kind of a binding that sends to one


class Fault(Struct):
    """One declared fault. nth: of the calls, from 1; 0: of each. method "": of any.

    how: "fail" raises in place of the call, "drop" after it, so that its effect is there;
    "delay" lets it wait, "redeliver" makes the call twice, so that messages are there twice.
    """

    binding: str
    how: Literal["fail", "drop", "delay", "redeliver"]
    nth: int = 0
    method: str = ""
    name: str = "Error"
    message: str = ""
    delay_ms: int = 0
    times: int | None = None
    seen: int = 0
    used: int = 0

    def is_due(self, method: str) -> bool:
        """Whether a call that comes now is faulty; counts it."""
        if self.method not in ("", method):
            return False
        self.seen += 1
        if self.nth not in (0, self.seen) or (self.times is not None and self.used >= self.times):
            return False
        self.used += 1
        return True

    @property
    def shown(self) -> str:
        """The fault in words: `fail of call 2 of DB.query`."""
        which = f"call {self.nth}" if self.nth else "each call"
        return f"{self.how} of {which} of {self.binding}" + (self.method and f".{self.method}")


class Faults(Struct):
    """The faults of all bindings, and how often each binding was called by the worker."""

    declared: list[Fault] = field(default_factory=list)
    calls: dict[str, list[tuple[str, int]]] = field(default_factory=dict)  # method, weight
    sent: dict[str, list[str]] = field(default_factory=dict)  # to queues: the bodies
    keeps: bool = True  # what was called and sent


class Tap:
    """A binding as the worker calls it."""

    def __init__(self, name: str, binding: Binding, faults: Faults) -> None:
        self.kind = binding.kind
        self._name = name
        self._binding = binding
        self._faults = faults

    @property
    def keeps_typed_arrays(self) -> bool:
        """See `Binding`."""
        return getattr(self._binding, "keeps_typed_arrays", False)

    @property
    def arguments_max_bytes(self) -> dict[str, int]:
        """See `Binding`."""
        return getattr(self._binding, "arguments_max_bytes", {})

    @property
    def forward(self) -> Callable[[Call], Awaitable[Encoded]] | None:
        """See `Forwarding`."""
        forward = getattr(self._binding, "forward", None)
        if forward is None:
            return None

        async def forwarded(call: Call) -> Any:
            return await self._faulty(call.method, 1, lambda: forward(call))

        return forwarded

    async def call(self, method: str, args: list[Any]) -> Any:
        """Call the binding, unless a fault says otherwise."""
        answered = partial(self._call, method, args)
        return await self._faulty(method, _weight(args), answered)

    async def _call(self, method: str, args: list[Any]) -> Any:
        result = await self._binding.call(method, args)
        if self.kind == QUEUE and self._faults.keeps:
            self._faults.sent.setdefault(self._name, []).extend(_bodies(args))
        return result

    async def _faulty(self, method: str, weight: int, answer: Callable[[], Awaitable[Any]]) -> Any:
        if self._faults.keeps:
            self._faults.calls.setdefault(self._name, []).append((method, weight))
        mine = [each for each in self._faults.declared if each.binding == self._name]
        due = [fault for fault in mine if fault.is_due(method)]
        for fault in due:
            if fault.how == "delay":
                await asyncio.sleep(fault.delay_ms / 1000)
            elif fault.how == "fail":
                raise WorkerError(fault.message, name=fault.name)
        result = await answer()
        for fault in due:
            if fault.how == "redeliver":
                await answer()
            if fault.how == "drop":
                raise WorkerError(fault.message, name=fault.name)
        return result

    async def close(self) -> None:
        """See `Binding`; the worker closes it."""


def _bodies(args: list[Any]) -> list[str]:
    """Return the bodies of messages that are sent, one or several."""
    given = args[0] if args and isinstance(args[0], list) else args[:1]
    return [repr(each["body"]) for each in given if isinstance(each, dict) and "body" in each]


def _weight(args: list[Any]) -> int:
    """Return how many statements a call has; 1 where it has no list of them."""
    return len(args[0]) if args and isinstance(args[0], list) else 1
