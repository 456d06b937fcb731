"""What an entry says when a step, an event wait or an instance has finally failed. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

Json = Any
Record = dict[str, Json]


class ErrorInfo(NamedTuple):
    """An error as it is recorded: no stack. Source: docs/platform/workflows.md, "Errors"."""

    name: str
    message: str

    @classmethod
    def of(cls, found: Record) -> ErrorInfo:
        """Return what `as_json` wrote."""
        return cls(found["name"], found["message"])

    def as_json(self) -> dict[str, str]:
        """Return `{"name": …, "message": …}`."""
        return {"name": self.name, "message": self.message}


class Failure(NamedTuple):
    """An instance, a step or an event wait has finally failed."""

    error: ErrorInfo

    @classmethod
    def of(cls, found: Record) -> Failure:
        return cls(ErrorInfo.of(found["error"]))

    def as_json(self) -> Record:
        return {"error": self.error.as_json()}
