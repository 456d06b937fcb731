"""What an entry says when a step, an event wait or an instance has finally failed. Pure.

A traceback is for people: it is recorded with a limit, and never replayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from emulator.engine.model.entry_json import ErrorJson, FailureJson, TracedFailureJson

TRACEBACK_MAX_BYTES = 16 * 1024
# A step may be tried again without end, and fail at the same line each time.
TRACED_ATTEMPTS = 10
LATER_TRACEBACK_MAX_BYTES = 1024


class ErrorInfo(Struct, frozen=True):
    """An error as it travels and is replayed: no stack.

    Source: docs/platform/workflows.md, "Errors".
    """

    name: str
    message: str

    @classmethod
    def of(cls, found: ErrorJson) -> ErrorInfo:
        """Return what `as_json` wrote."""
        return cls(found["name"], found["message"])

    def as_json(self) -> ErrorJson:
        """Return `{"name": …, "message": …}`."""
        return {"name": self.name, "message": self.message}


class Failure(Struct, frozen=True):
    """A step or an event wait has finally failed."""

    error: ErrorInfo

    @classmethod
    def of(cls, found: FailureJson) -> Failure:
        return cls(ErrorInfo.of(found["error"]))

    def as_json(self) -> FailureJson:
        return {"error": self.error.as_json()}


class TracedFailure(Struct, frozen=True):
    """An instance has failed. traceback: the user's frames, as Python prints them, or empty."""

    error: ErrorInfo
    traceback: str = ""

    @classmethod
    def of(cls, found: TracedFailureJson) -> TracedFailure:
        return cls(ErrorInfo.of(found["error"]), found.get("traceback", ""))

    def as_json(self) -> TracedFailureJson:
        told: TracedFailureJson = {"error": self.error.as_json()}
        if self.traceback:
            told["traceback"] = self.traceback
        return told


def kept_traceback(traceback: str, attempt: int = 1) -> str:
    """Return what is recorded of a traceback: all of it, or its head and its end.

    The frames are at its head, unless there are very many. Attempts after the first
    `TRACED_ATTEMPTS` keep less.
    """
    limit = TRACEBACK_MAX_BYTES if attempt <= TRACED_ATTEMPTS else LATER_TRACEBACK_MAX_BYTES
    if len(traceback) <= limit // 4:  # no character has more than four bytes
        return traceback
    data = traceback.encode("utf-8", "replace")
    if len(data) <= limit:
        return traceback
    half = limit // 2
    head, end = data[:half].decode(errors="ignore"), data[-half:].decode(errors="ignore")
    return f"{head}\n… {len(data) - 2 * half:,} bytes left out …\n{end}"
