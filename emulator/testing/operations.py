"""What a test may ask of its worker, by name. The modules beside this one register their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from emulator.testing.subject import Subject

Args = dict[str, Any]
Operation = Callable[[Subject, Args], Awaitable[Any]]
Telling = Callable[[Subject, Args], None]

ASKED: dict[str, Operation] = {}
TOLD: dict[str, Telling] = {}


def asked(name: str) -> Callable[[Operation], Operation]:
    """Make a function the answer to what a test asks by this name."""

    def register(function: Operation) -> Operation:
        ASKED[name] = function
        return function

    return register


def told(name: str) -> Callable[[Telling], Telling]:
    """Make a function what is done when a test tells this name."""

    def register(function: Telling) -> Telling:
        TOLD[name] = function
        return function

    return register
