"""`env` in a test: the binding clients of workers themselves, calling from the test.

`async_worker.env.DB.prepare(…).all()` is awaited, as in the worker. On `worker.env`, the same
methods return their results at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from groundfog.testing.guest_code import module
from groundfog.testing.link import Link, Pending

__tracebackhide__ = True  # pytest shows the line of the test, not ours


def members(link: Link, worker: int, opened: dict[str, Any], *, blocking: bool) -> Any:
    """Return `env` with all bindings and variables of a worker."""
    make = module("guest.python.members").members
    found = make(_Caller(link, worker, blocking), opened["bindings"], opened["vars"])
    wrapper = module("guest.python.env")._EnvWrapper(found)
    return SyncFace(wrapper) if blocking else wrapper


class _Caller:
    """Sends the calls of binding clients to the host."""

    def __init__(self, link: Link, worker: int, blocking: bool) -> None:
        self._link = link
        self._worker = worker
        self._blocking = blocking
        self._conversion = module("guest.python.conversion")
        self._bindings = module("protocol.bindings")
        self._errors = module("guest.python.sdk.pyodide.ffi")
        self._streams = module("guest.python.streams")

    def call(
        self,
        binding: str,
        method: str,
        args: list[Any],
        *,
        then: Callable[[Any], Any] | None = None,
        failed: Callable[[str, str], Exception] | None = None,
        takes_stream: bool = False,
        is_rpc: bool = False,
    ) -> Coroutine[Any, Any, Any]:
        """Send a call now; return what waits for its answer."""
        payload = self._conversion.encode(args)
        pending = self._link.call(self._worker, binding, method, payload)
        return self._answered(pending, then, failed)

    async def _answered(
        self,
        pending: Pending,
        then: Callable[[Any], Any] | None,
        failed: Callable[[str, str], Exception] | None,
    ) -> Any:
        if self._blocking:
            self._link.wait(pending)
        else:
            await self._link.waiting(pending)
        if pending.error is not None:
            raise pending.error
        message = pending.message
        if isinstance(message, self._bindings.BindingFailed):
            if failed is not None:
                raise failed(message.name, message.message)
            raise self._errors.JsException(message.message, message.name)
        stream: Any = pending.body  # read to its end: an iterable of bytes where nothing is awaited
        if stream is not None and not self._blocking:
            stream = self._streams.ReadableStream(stream)
        value = self._conversion.decode(message.payload, stream)
        return value if then is None else then(value)


class SyncFace:
    """A client, a statement or a handle, whose methods return their results at once."""

    def __init__(self, target: Any) -> None:
        object.__setattr__(self, "_target", target)

    def __getattr__(self, name: str) -> Any:
        return _shown(getattr(self._target, name))

    def __repr__(self) -> str:
        return repr(self._target)

    def __dir__(self) -> list[str]:
        return dir(self._target)


def _shown(value: Any) -> Any:
    """Return a value of a client as code without an event loop sees it."""
    if inspect.iscoroutine(value):
        return _shown(_finished(value))
    if inspect.ismethod(value):
        return _plain_method(value)
    if isinstance(value, list):
        return [_shown(each) for each in value] if any(map(_is_client, value)) else value
    if type(value) is dict:
        return {name: _shown(each) for name, each in value.items()}
    return SyncFace(value) if _is_client(value) else value


def _plain_method(method: Any) -> Callable[..., Any]:
    def call(*args: Any, **keywords: Any) -> Any:
        given = [_given(each) for each in args]
        return _shown(method(*given, **{name: _given(each) for name, each in keywords.items()}))

    call.__name__ = method.__name__
    call.__doc__ = method.__doc__
    return call


def _given(value: Any) -> Any:
    if isinstance(value, list):
        return [_given(each) for each in value]
    return value._target if isinstance(value, SyncFace) else value


def _is_client(value: Any) -> bool:
    """Whether a value sends calls: a binding, or what one has returned, such as a stub."""
    if "_caller" in getattr(value, "__dict__", ()):
        return True
    return isinstance(value, module("guest.python.clients.binding")._BindingWrapper)


def _finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine whose every call waits without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("This call needs an event loop: make it on async_worker.env.")
