"""Mocks of steps, sleeps and events: which one is for a call, and whether each was used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct, field

from emulator.testing.refusals import Refused

MockKind = Literal[
    "result",  # these four answer an attempt of a `do`
    "error",
    "step_timeout",
    "function",
    "spy",  # counts attempts
    "sleep",  # ends one at once
    "retry_delay",
    "event",  # these three answer a wait for an event
    "event_timeout",
    "responder",
    "hold",  # of any step: it does not begin before it is released
]
OF_ATTEMPTS: tuple[MockKind, ...] = ("result", "error", "step_timeout", "function")
OF_WAITS: tuple[MockKind, ...] = ("event", "event_timeout", "responder")
NEED_NO_USE: tuple[MockKind, ...] = ("sleep", "retry_delay", "spy", "responder")


class Call(Struct):
    """A call of a step, as a mock is chosen for it. `count` is its number among its name's."""

    workflow: str
    instance: str
    name: str
    count: int
    event_type: str = ""

    @property
    def label(self) -> str:
        """What the step is called in the engine: `"charge-1"`."""
        return f"{self.name}-{self.count}"


class Mock(Struct):
    """One mock. `instance` "": of every instance. `step` "": of every step; `index` 0: each of it.

    value: tagged JSON. error: name and message. function: the number of one of the test's.
    times: how often it is used; None: always.
    """

    number: int
    kind: MockKind
    workflow: str
    instance: str = ""
    step: str = ""
    index: int = 0
    event_type: str = ""
    value: bytes = b""
    error: tuple[str, str] = ("", "")
    function: int = 0
    times: int | None = None
    used: int = field(default=0)

    def is_for(self, call: Call) -> bool:
        """Whether it answers this call."""
        return (
            self.workflow == call.workflow
            and self.instance in ("", call.instance)
            and self.step in ("", call.name)
            and self.index in (0, call.count)
            and self.event_type in ("", call.event_type)
            and (self.times is None or self.used < self.times)
        )

    @property
    def shown(self) -> str:
        """What it is for, in words: `step "charge" #2`, `event "approved"`."""
        if self.event_type:
            return f'event "{self.event_type}"'
        if not self.step:
            return "every step"
        return f'step "{self.step}"' + (f" #{self.index}" if self.index else "")


class Mocks:
    """The mocks of one worker, and the steps that were called at all."""

    def __init__(self) -> None:
        self._mocks: list[Mock] = []
        self.called: dict[str, set[str]] = {}  # workflow -> names of steps

    def __bool__(self) -> bool:
        return bool(self._mocks)

    def add(self, mock: Mock) -> None:
        """Add one. Raises Refused for a second one of the same thing."""
        for other in self._mocks:
            if _same(mock, other):
                raise Refused(
                    f"The {mock.shown} of {mock.workflow} is mocked twice"
                    f" ({_told(other)}, then {_told(mock)}). One mock says all: times, an index"
                    " (step, 2), or a function (mock_step) answers attempts differently."
                )
        self._mocks.append(mock)

    def remove(self, number: int) -> None:
        """Remove one."""
        self._mocks = [mock for mock in self._mocks if mock.number != number]

    def find(self, call: Call, kinds: tuple[MockKind, ...]) -> Mock | None:
        """Return the mock for a call: one of its instance before one of all."""
        found = [mock for mock in self._mocks if mock.kind in kinds and mock.is_for(call)]
        return max(found, key=lambda mock: bool(mock.instance), default=None)

    def used(self, number: int) -> int:
        """Return how often one was used."""
        return sum(mock.used for mock in self._mocks if mock.number == number)

    def note(self, call: Call) -> None:
        """A step was called."""
        self.called.setdefault(call.workflow, set()).add(call.name)

    def unused(self) -> Iterator[tuple[Mock, list[str]]]:
        """Yield the mocks that were never used though that was meant, and what was called."""
        for mock in self._mocks:
            if not mock.used and mock.kind not in NEED_NO_USE:
                yield mock, sorted(self.called.get(mock.workflow, ()))


def _same(one: Mock, other: Mock) -> bool:
    group = next((kinds for kinds in (OF_ATTEMPTS, OF_WAITS) if one.kind in kinds), (one.kind,))
    what = (one.workflow, one.instance, one.step, one.index, one.event_type)
    return other.kind in group and what == (
        *(other.workflow, other.instance, other.step),
        *(other.index, other.event_type),
    )


def _told(mock: Mock) -> str:
    return mock.kind.replace("_", " ")
