"""Functions that cross to other workers: this guest's own by number, and those of others as stubs.

A function stays where it was made. What travels is the address of its guest and a number.
Source: docs/platform/services.md, "Functions".
"""

from __future__ import annotations

from itertools import count
from typing import Any

from ...protocol.values import StubValue
from .calls import Caller
from .clients.binding import _BindingWrapper
from .clients.stub import _RpcStubWrapper
from .sdk.javascript.functions import python_of
from .sdk.jserror import JsException


class Stubs:
    """The functions of one guest that others may call; it keeps them as long as it runs."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.address = ""  # the host gives it
        self._numbers = count(1)
        self._sent: dict[int, Any] = {}

    def sent(self, value: Any) -> StubValue | None:
        """Return what travels of a function or a stub; None for another value."""
        value = python_of(value)
        if isinstance(value, _RpcStubWrapper):
            return value._value
        if not callable(value) or isinstance(value, type | _BindingWrapper) or not self.address:
            return None
        number = next(self._numbers)
        self._sent[number] = value
        return StubValue(self.address, number)

    def received(self, value: StubValue) -> Any:
        """Return what calls a function of another guest."""
        return _RpcStubWrapper(self._caller, value)

    def called(self, number: int, method: str) -> Any:
        """Return the function that others know by this number. Raises JsException."""
        function = self._sent.get(number)
        if function is None:
            raise JsException("RPC stub used after being disposed.")
        if method:
            text = f'The RPC receiver does not implement the method "{method}".'
            raise JsException(text, "TypeError")
        return function
