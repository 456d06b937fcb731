"""The errors of tests. Each says what was found, what was expected, and how to go on."""

from __future__ import annotations

from typing import Any


class GroundfogError(Exception):
    """The base of all errors here."""


class WorkerLoadError(GroundfogError):
    """The worker's code or configuration does not load.

    traceback: of the user's code, "" where there is none.
    """

    def __init__(self, text: str, traceback: str = "", name: str = "") -> None:
        super().__init__(f"{text}\n{traceback}".rstrip() if traceback else text)
        self.traceback = traceback
        self.name = name


class WorkerError(GroundfogError):
    """User code raised while it handled a request, and did not catch it.

    name, message: of the error. traceback: the user's, as text.
    """

    def __init__(self, text: str, name: str = "", message: str = "", traceback: str = "") -> None:
        super().__init__(text)
        self.name = name
        self.message = message
        self.traceback = traceback


class WorkflowFailed(GroundfogError):
    """A workflow instance ended in another way than with an output.

    status: "errored" or "terminated". error: `{"name", "message"}`, or None. timeline: what it did.
    """

    def __init__(self, text: str, status: str, error: dict[str, str] | None, timeline: str) -> None:
        super().__init__(text)
        self.status = status
        self.error = error
        self.timeline = timeline


class StuckError(GroundfogError):
    """What the test waits for cannot happen by itself; the message says what is missing."""


class WaitTimeout(GroundfogError, TimeoutError):
    """What the test waits for did not happen in time."""


class NotFound(GroundfogError, LookupError):
    """There is no such binding, instance or step."""


class RefusedError(GroundfogError):
    """It cannot be done; the message says why."""


class UnusedMock(GroundfogError, AssertionError):
    """A step or an event was mocked and never came."""


class UnexpectedRequest(GroundfogError, AssertionError):
    """The worker fetched something that no rule was for, or a rule or fault never came."""


class CrashFound(GroundfogError, AssertionError):
    """A crash of the worker changes what comes of the test."""


class ReplayDiffers(GroundfogError, AssertionError):
    """Code does not fit what instances have done."""


class OverBudget(GroundfogError, AssertionError):
    """The worker used more than was expected."""


class UnseenError(GroundfogError, AssertionError):
    """An instance ended with an error, and the test has not looked at it."""


class WebSocketClosed(GroundfogError):
    """A WebSocket is closed: `code` and `reason` of whoever closed it."""

    def __init__(self, text: str, code: int, reason: str) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason


class HostLost(GroundfogError):
    """The process that runs the workers ended."""


def of_refusal(kind: str, text: str, details: dict[str, Any]) -> GroundfogError:
    """Return the error for what the host has refused."""
    match kind:
        case "load":
            return WorkerLoadError(text, details.get("traceback", ""), details.get("name", ""))
        case "handler":
            return WorkerError(text, **details)
        case "stuck":
            return StuckError(text)
        case "late":
            return WaitTimeout(text)
        case "none":
            return NotFound(text)
        case _:
            return RefusedError(text)
