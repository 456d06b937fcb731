"""`pyodide.ffi.wrappers`: listeners and timers that keep the Python function alive."""

from __future__ import annotations

from typing import Any

from ..javascript.events import clearTimeout, setInterval, setTimeout

__all__ = [
    "add_event_listener",
    "clear_interval",
    "clear_timeout",
    "remove_event_listener",
    "set_interval",
    "set_timeout",
]


def add_event_listener(elt: Any, event: str, listener: Any) -> None:
    """Call `listener(event)` for the events of an object."""
    elt.addEventListener(event, listener)


def remove_event_listener(elt: Any, event: str, listener: Any) -> None:
    """Stop calling it."""
    elt.removeEventListener(event, listener)


def set_timeout(callback: Any, timeout: float) -> int:
    """Call `callback()` after so many milliseconds."""
    return setTimeout(callback, timeout)


def set_interval(callback: Any, interval: float) -> int:
    """Call `callback()` every so many milliseconds."""
    return setInterval(callback, interval)


clear_timeout = clear_interval = clearTimeout
