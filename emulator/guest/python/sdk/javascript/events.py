"""Events, signals that abort, and timers."""

from __future__ import annotations

import asyncio
import inspect
import time
from itertools import count
from typing import Any

from ... import scope, tracebacks
from ..jserror import JsException
from ..jsobject import JsObject, options
from ..jsproxy import call_with
from .functions import python_of
from .promises import Promise

_numbers = count(1)
_timers: dict[int, asyncio.Handle] = {}


class Event(JsObject):
    """What listeners are given."""

    def __init__(self, type: str, given: Any = None, **keywords: Any) -> None:
        chosen = options(given, keywords)
        self.type = type
        self.detail = chosen.get("detail")
        self.cancelable = bool(chosen.get("cancelable", False))
        self.bubbles = bool(chosen.get("bubbles", False))
        self.defaultPrevented = False
        self.target: Any = None

    def preventDefault(self) -> None:  # JavaScript's name
        """Note that it has been seen to."""
        self.defaultPrevented = self.cancelable

    def stopPropagation(self) -> None:  # JavaScript's name
        """Do nothing: there is one target."""


class CustomEvent(Event):
    """An event with a `detail`."""


class EventTarget(JsObject):
    """Something that listeners listen to."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[tuple[Any, bool]]] = {}

    def addEventListener(self, type: str, listener: Any, given: Any = None) -> None:
        """Call `listener(event)` for every event of a type, or for one with `once`."""
        once = False
        if given is not None and not isinstance(given, bool):
            once = bool(options(given, {}).get("once", False))
        self._listeners.setdefault(type, []).append((listener, once))

    def removeEventListener(self, type: str, listener: Any, given: Any = None) -> None:
        """Stop calling `listener`."""
        wanted = python_of(listener)
        kept = [each for each in self._listeners.get(type, []) if python_of(each[0]) != wanted]
        self._listeners[type] = kept

    def dispatchEvent(self, event: Any) -> bool:  # JavaScript's name
        """Call the listeners of an event; return whether nobody prevented its default."""
        event.target = self
        own = self.__dict__.get(f"on{event.type}")
        found = self._listeners.get(event.type, [])
        self._listeners[event.type] = [each for each in found if not each[1]]
        for listener in [*([own] if own is not None else []), *(each[0] for each in found)]:
            call_listener(listener, event)
        return not event.defaultPrevented


class AbortSignal(EventTarget):
    """Tells that something is aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False
        self.reason: Any = None

    def throwIfAborted(self) -> None:  # JavaScript's name
        """Raise the reason if it is aborted."""
        if self.aborted:
            raise self.reason

    @staticmethod
    def abort(reason: Any = None) -> AbortSignal:
        """Return a signal that is aborted."""
        signal = AbortSignal()
        signal._abort(reason)
        return signal

    @staticmethod
    def timeout(milliseconds: float) -> AbortSignal:
        """Return a signal that is aborted after a time."""
        signal = AbortSignal()
        error = JsException("The operation was aborted due to timeout", "TimeoutError")
        setTimeout(lambda: signal._abort(error), milliseconds)
        return signal

    @staticmethod
    def any(signals: Any) -> AbortSignal:
        """Return a signal that is aborted with the first of others."""
        signal = AbortSignal()
        for other in signals:
            if other.aborted:
                signal._abort(other.reason)
            other.addEventListener("abort", lambda event: signal._abort(event.target.reason))
        return signal

    def _abort(self, reason: Any) -> None:
        if not self.aborted:
            self.aborted = True
            self.reason = JsException("The operation was aborted", "AbortError")
            if reason is not None:
                self.reason = reason
            self.dispatchEvent(Event("abort"))


class AbortController(JsObject):
    """Aborts what its `signal` was given to."""

    def __init__(self) -> None:
        self.signal = AbortSignal()

    def abort(self, reason: Any = None) -> None:
        """Abort it."""
        self.signal._abort(reason)


def call_listener(listener: Any, *arguments: Any) -> None:
    """Call a function of the user's; its error is shown, its coroutine runs with the request."""
    handle = getattr(python_of(listener), "handleEvent", None)
    try:
        result = call_with(listener if handle is None else handle, *arguments)
    except Exception as error:  # one listener's failure is not the next one's
        tracebacks.print_error(error)
        return
    if inspect.isawaitable(result):
        scope.current().wait_until(result)


def setTimeout(function: Any, milliseconds: float = 0, *arguments: Any) -> int:
    """Call a function after a time; return a number for `clearTimeout`."""
    return _start(function, milliseconds, arguments, repeat=False)


def setInterval(function: Any, milliseconds: float = 0, *arguments: Any) -> int:
    """Call a function again and again; return a number for `clearInterval`."""
    return _start(function, milliseconds, arguments, repeat=True)


def clearTimeout(number: Any = None) -> None:
    """Do not call it any more."""
    timer = _timers.pop(number, None)
    if timer is not None:
        timer.cancel()


clearInterval = clearTimeout


def queueMicrotask(function: Any) -> None:
    """Call a function soon."""
    scope.current()
    asyncio.get_running_loop().call_soon(call_listener, function)


class _Scheduler(JsObject):
    def wait(self, milliseconds: float, given: Any = None) -> Promise:
        """Return a promise that is kept after a time."""
        scope.current()
        return Promise(asyncio.sleep(milliseconds / 1000))


class _Performance(JsObject):
    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.timeOrigin = time.time() * 1000

    def now(self) -> float:
        """Return the milliseconds since the start."""
        return (time.perf_counter() - self._start) * 1000


def _start(function: Any, milliseconds: float, arguments: tuple[Any, ...], repeat: bool) -> int:
    scope.current()
    loop, number = asyncio.get_running_loop(), next(_numbers)
    seconds = max(0.0, (milliseconds or 0) / 1000)

    def go_off() -> None:
        if repeat:
            _timers[number] = loop.call_later(max(seconds, 0.001), go_off)
        else:
            del _timers[number]
        call_listener(function, *arguments)

    _timers[number] = loop.call_later(seconds, go_off)
    return number


_Scheduler.__name__, _Performance.__name__ = "Scheduler", "Performance"
scheduler = _Scheduler()
performance = _Performance()
