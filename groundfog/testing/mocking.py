"""Mocks of steps and events, as the host takes them; functions of the test that it calls."""

from __future__ import annotations

import difflib
import inspect
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from groundfog.testing.errors import UnusedMock
from groundfog.testing.guest_code import module
from groundfog.testing.link import Link
from groundfog.testing.outbound_values import OutboundRequest, answer_of
from groundfog.testing.selecting import TIMEOUT

numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a function in place of a step gets.

    step: `{"name", "count"}`. attempt: its number, from 1. config: the step's retries and timeout.
    """

    step: dict[str, Any]
    attempt: int
    config: dict[str, Any]
    workflow: str
    instance: str


@dataclass(frozen=True, slots=True)
class WaitContext:
    """What a function that answers waits for an event gets: which instance and step wait."""

    workflow: str
    instance: str
    step: str


def encoded(value: Any) -> bytes:
    """Return a value as a step would return it. Raises what user code would get."""
    data: bytes = module("guest.python.conversion").encode(value)
    return data


def decoded(data: bytes | None) -> Any:
    """Return the value of a step, a param or an output, as user code gets it."""
    return None if not data else module("guest.python.conversion").decode(data)


def error_of(error: BaseException | str) -> list[str]:
    """Return name and message of an error that a step raises."""
    if isinstance(error, str):
        return ["Error", error]
    name = getattr(error, "name", "")
    return [name if isinstance(name, str) and name else type(error).__name__, str(error)]


def step_function(link: Link, function: Callable[[StepContext], Any]) -> int:
    """Let the host call `function` in place of a step; return its number."""

    def call(context: dict[str, Any]) -> Any:
        return _then(function(StepContext(**context)), encoded)

    return link.function(_noting_failures(link, call))


def wait_function(link: Link, function: Callable[[WaitContext], Any]) -> int:
    """Let the host call `function` to answer waits for an event; return its number."""

    def outcome(result: Any) -> bytes:
        answered = "timeout" if result is TIMEOUT else "event"
        payload = b"" if result is TIMEOUT else encoded(result)
        data: bytes = module("protocol.values").encode([answered, payload])
        return data

    def call(context: dict[str, Any]) -> Any:
        return _then(function(WaitContext(**context)), outcome)

    return link.function(_noting_failures(link, call, every=True))


def request_function(link: Link, function: Callable[[OutboundRequest], Any]) -> int:
    """Let the host call `function` to answer requests of the worker; return its number."""

    def call(record: dict[str, Any]) -> Any:
        return _then(function(OutboundRequest.of(record)), _answer)

    return link.function(_noting_failures(link, call))


def service_function(link: Link, target: Any) -> int:
    """Let the host call methods of `target`, which stands in for another worker.

    `fetch(request)` answers requests, as `Route.answer` does; other methods get the arguments of
    the call. A function answers requests too.
    """

    def call(method: str, given: Any) -> Any:
        if method == "fetch":
            fetch = getattr(target, "fetch", target)
            return _then(fetch(OutboundRequest.of(given)), _answer)
        function = None if method.startswith("_") else getattr(target, method, None)
        if function is None:
            raise TypeError(f'The RPC receiver does not implement the method "{method}".')
        return _then(function(*decoded(given)), encoded)

    return link.function(_noting_failures(link, call))


def _answer(result: Any) -> bytes:
    data: bytes = module("protocol.values").encode(answer_of(result))
    return data


def refuse_unused(unused: list[dict[str, Any]]) -> None:
    """Raise UnusedMock if there are any."""
    if unused:
        raise UnusedMock("\n".join(_unused(each) for each in unused))


def _unused(mock: dict[str, Any]) -> str:
    called = mock["called"]
    names = ", ".join(f'"{name}"' for name in called) or "none"
    text = (
        f"The {mock['mocked']} of {mock['workflow']} was mocked and never came;"
        f" steps that were called: {names}."
    )
    near = difflib.get_close_matches(mock["step"], called, 1) if mock["step"] else []
    return text + (f' Did you mean "{near[0]}"?' if near else "")


def _then(result: Any, finish: Callable[[Any], bytes]) -> Any:
    if not inspect.isawaitable(result):
        return finish(result)

    async def finished(waiting: Awaitable[Any]) -> bytes:
        return finish(await waiting)

    return finished(result)


def _noting_failures(
    link: Link, call: Callable[..., Any], *, every: bool = False
) -> Callable[..., Any]:
    """Keep failed assertions in `call`: user code may swallow them, and the test must fail.

    every: keep other errors too.
    """
    kept = Exception if every else AssertionError

    async def awaited(result: Any) -> Any:
        try:
            return await result
        except kept as error:
            link.errors.append(error)
            raise

    def noting(*given: Any) -> Any:
        try:
            result = call(*given)
        except kept as error:
            link.errors.append(error)
            raise
        return awaited(result) if inspect.isawaitable(result) else result

    return noting
