"""`Promise`: what methods of JavaScript's objects return. It runs at once, awaited or not."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import wraps
from typing import Any

from ..jserror import JsException
from ..jsobject import JsObject
from ..jsproxy import JsArrayProxy, call_with
from .collections import Object, stored


class Promise(JsObject):
    """Something that is there later. It can be awaited many times."""

    def __init__(self, source: Any) -> None:
        loop = asyncio.get_running_loop()
        if inspect.isawaitable(source):
            self._future: asyncio.Future[Any] = asyncio.ensure_future(source)
            return
        self._future = loop.create_future()  # `source(resolve, reject)` is JavaScript's executor
        try:
            call_with(source, self._resolve, self._reject)
        except Exception as error:
            self._reject(error)

    __hash__: Any = object.__hash__  # asyncio.gather() and wait() need it

    def __await__(self) -> Any:
        return self._future.__await__()

    def then(self, fulfilled: Any = None, rejected: Any = None) -> Promise:
        """Return a promise of what `fulfilled(value)` or `rejected(error)` returns."""
        return Promise(self._then(fulfilled, rejected))

    def catch(self, rejected: Any) -> Promise:
        """Return a promise of the value, or of what `rejected(error)` returns."""
        return Promise(self._then(None, rejected))

    def finally_(self, function: Any) -> Promise:
        """Return a promise of the same that is kept after `function()`."""
        return Promise(self._finally(function))

    async def _then(self, fulfilled: Any, rejected: Any) -> Any:
        try:
            result = await self._future
        except Exception as error:
            if rejected is None:
                raise
            return await _settled(call_with(rejected, error))
        return result if fulfilled is None else await _settled(call_with(fulfilled, result))

    async def _finally(self, function: Any) -> Any:
        try:
            return await self._future
        finally:
            await _settled(call_with(function))

    def _resolve(self, value: Any = None) -> None:
        if not self._future.done():
            self._future.set_result(value)

    def _reject(self, error: Any = None) -> None:
        if not self._future.done():
            self._future.set_exception(as_exception(error))

    # --- of the class

    @staticmethod
    def resolve(value: Any = None) -> Promise:
        """Return a promise of a value, or of what an awaitable gives."""
        return Promise(_settled(value))

    @staticmethod
    def reject(error: Any = None) -> Promise:
        """Return a promise that has failed."""
        return Promise(_failed(error))

    @staticmethod
    def all(values: Iterable[Any]) -> Promise:
        """Return a promise of an array of all."""
        return Promise(_gathered(list(values)))

    @staticmethod
    def allSettled(values: Iterable[Any]) -> Promise:  # JavaScript's name
        """Return a promise of an array of `{status, value | reason}`."""
        return Promise(_all_settled(list(values)))

    @staticmethod
    def race(values: Iterable[Any]) -> Promise:
        """Return a promise of the first that is settled."""
        return Promise(_first(list(values)))

    @staticmethod
    def withResolvers() -> Any:  # JavaScript's name
        """Return `{promise, resolve, reject}`."""
        found: list[Any] = []
        promise = Promise(lambda resolve, reject: found.extend((resolve, reject)))
        return Object.new(promise=promise, resolve=found[0], reject=found[1])


def promised(
    method: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Promise]:
    """Have a method return a promise, as JavaScript's does."""

    @wraps(method)
    def returning(*args: Any, **keywords: Any) -> Promise:
        return Promise(method(*args, **keywords))

    return returning


def as_exception(error: Any) -> Exception:
    """Return what a promise failed with as an exception."""
    return error if isinstance(error, Exception) else JsException(str(error), "Error")


async def _settled(value: Awaitable[Any] | Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def _failed(error: Any) -> Any:
    raise as_exception(error)


async def _gathered(values: list[Any]) -> Any:
    found = await asyncio.gather(*map(_settled, values))
    return JsArrayProxy(list(map(stored, found)), "Promise.all(…)")


async def _all_settled(values: list[Any]) -> Any:
    found = await asyncio.gather(*map(_settled, values), return_exceptions=True)
    return JsArrayProxy([_outcome(each) for each in found], "Promise.allSettled(…)")


def _outcome(found: Any) -> dict[str, Any]:
    if isinstance(found, BaseException):
        return {"status": "rejected", "reason": found}
    return {"status": "fulfilled", "value": stored(found)}


async def _first(values: list[Any]) -> Any:
    tasks = [asyncio.ensure_future(_settled(value)) for value in values]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return next(task for task in tasks if task in done).result()
