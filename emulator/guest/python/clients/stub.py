"""A function of another worker, or an object whose methods can be called there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ....protocol.loading import STUBS
from ....protocol.values import StubValue
from ..calls import Answer, Caller
from .binding import _BindingWrapper
from .fetcher import method_called


class _RpcStubWrapper(_BindingWrapper):
    """Calling it, or a method of it, runs code where it came from."""

    def __init__(self, caller: Caller, value: StubValue) -> None:
        super().__init__(caller, f"<function {value.id} of worker {value.owner}>")
        self._value = value

    def __call__(self, *args: Any, **keywords: Any) -> Answer:
        return self._method("")(*args, **keywords)

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        if name.startswith("__"):
            raise AttributeError(name, name=name, obj=self)
        return self._method(name)

    def _method(self, name: str) -> Callable[..., Answer]:
        called = f"{self._value.owner} {self._value.id} {name}"
        return method_called(name, partial(self._caller.call, STUBS, called, is_rpc=True))


_RpcStubWrapper.__module__ = "workers.rpc"
