"""What one event did, for the workers in `tail_consumers`: what it printed and raised, its outcome.

Collected only where the worker has such consumers. The host passes it on (`emulator/tails.py`).
Source: https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

from ...protocol.exchanges import Fetch, Invoke
from ...protocol.loading import TAILS
from . import host_calls, scope, tracebacks
from .sdk.javascript.text import JSON
from .sdk.jserror import JsException

is_on = False


def collect() -> None:
    """Collect what events do from now on."""
    global is_on
    is_on = True


def begun(message: Fetch | Invoke, model: str, entrypoint: str) -> Trace | None:
    """Return what collects an event; None: it is itself about events."""
    if isinstance(message, Invoke) and message.method == "tail":
        return None
    return Trace(_request(message) if isinstance(message, Fetch) else {}, model, entrypoint)


def current() -> Trace | None:
    """Return what collects the event that code runs for."""
    return getattr(scope.find(), "trace", None)


class Trace:
    """One event so far. `event` says which."""

    def __init__(self, event: dict[str, Any], model: str, entrypoint: str) -> None:
        self.event = event
        self.is_console = False  # what is printed now is told already, with its values
        self._model = model
        self._entrypoint = entrypoint
        self._began_ms, self._began = _now_ms(), time.perf_counter()
        self._logs: list[dict[str, Any]] = []
        self._exceptions: list[dict[str, Any]] = []
        self._lines = {"log": "", "warn": ""}  # what has begun
        self._outcome = "ok"

    def called(self, method: str, args: list[Any], *, is_rpc: bool) -> None:
        """Note which handler or method is called."""
        about = None if is_rpc else _EVENTS.get(method)
        self.event = {"rpcMethod": method} if about is None else about(args)

    def answered(self, status: int) -> None:
        """Note the response."""
        self.event["response"] = {"status": status}

    def log(self, level: str, message: list[Any]) -> None:
        """Note what `console` was given."""
        shown = [_plain(part) for part in message]
        self._logs.append({"timestamp": _now_ms(), "level": level, "message": shown})

    def printed(self, level: str, text: str) -> None:
        """Note what was printed, line by line."""
        if self.is_console:
            return
        *lines, self._lines[level] = (self._lines[level] + text).split("\n")
        for line in lines:
            self.log(level, [line])

    def raised(self, error: BaseException) -> None:
        """Note an error that nobody has caught."""
        if isinstance(error, asyncio.CancelledError):
            self._outcome = "canceled"
        else:
            name, message, traceback = tracebacks.told(error)
            self.failed(name, message, traceback, is_python=not isinstance(error, JsException))

    def failed(self, name: str, message: str, traceback: str, *, is_python: bool = True) -> None:
        """Note an error that was caught for the host."""
        self._outcome = "exception"
        found = {"timestamp": _now_ms(), "name": name, "message": message, "stack": traceback}
        if is_python:
            found |= {"name": "PythonError", "message": traceback.rstrip()}
        self._exceptions.append(found)

    async def send(self) -> None:
        """Tell the host what there was."""
        for level, text in self._lines.items():
            if text:
                self.printed(level, "\n")
        item = {
            "event": self.event,
            "eventTimestamp": self._began_ms,
            "logs": self._logs,
            "exceptions": self._exceptions,
            "executionModel": self._model,
            "outcome": self._outcome,
            "wallTime": round((time.perf_counter() - self._began) * 1000),
        }
        if self._entrypoint:
            item["entrypoint"] = self._entrypoint
        await host_calls.ask(TAILS, "trace", [item])


def _plain(part: Any) -> Any:
    try:
        return json.loads(JSON.stringify(part) or "")
    except Exception:  # it is undefined, a function, a circle, an object of Python's
        return str(part)


def _request(message: Fetch) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in message.headers}
    return {"request": {"method": message.method, "url": message.url, "headers": headers}}


def _socket_event(kind: str, *names: str) -> Any:
    def about(args: list[Any]) -> dict[str, Any]:
        told = dict(zip(names, args[-len(names) :], strict=False)) if names else {}
        return {"getWebSocketEvent": {"webSocketEventType": kind, **told}}

    return about


_EVENTS: dict[str, Any] = {
    "alarm": lambda args: {"scheduledTime": datetime.fromtimestamp(args[1] / 1000, UTC)},
    "email": lambda args: {"mailFrom": args[1], "rcptTo": args[2], "rawSize": len(args[4])},
    "queue": lambda args: {"queue": args[0], "batchSize": len(args[1])},
    "scheduled": lambda args: {"cron": args[0], "scheduledTime": args[1]},
    "webSocketMessage": _socket_event("message"),
    "webSocketClose": _socket_event("close"),
    "webSocketError": _socket_event("error"),
}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
