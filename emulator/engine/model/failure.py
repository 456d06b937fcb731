"""What an entry says when a step, an event wait or an instance has finally failed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from emulator.engine.model.entry_json import ErrorJson, FailureJson


class ErrorInfo(NamedTuple):
    """An error as it is recorded: no stack. Source: docs/platform/workflows.md, "Errors"."""

    name: str
    message: str

    @classmethod
    def of(cls, found: ErrorJson) -> ErrorInfo:
        """Return what `as_json` wrote."""
        return cls(found["name"], found["message"])

    def as_json(self) -> ErrorJson:
        """Return `{"name": …, "message": …}`."""
        return {"name": self.name, "message": self.message}


class Failure(NamedTuple):
    """An instance, a step or an event wait has finally failed."""

    error: ErrorInfo

    @classmethod
    def of(cls, found: FailureJson) -> Failure:
        return cls(ErrorInfo.of(found["error"]))

    def as_json(self) -> FailureJson:
        return {"error": self.error.as_json()}
