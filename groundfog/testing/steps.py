"""A step of an instance, as it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from groundfog.testing.mocking import decoded


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt. `success` is None while it runs; `error` is `{"name", "message"}` or None."""

    started: datetime
    ended: datetime | None
    success: bool | None
    error: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference of two instances: where, and what each has there; "absent" is nothing."""

    where: str
    one: Any
    other: Any


@dataclass(frozen=True, slots=True)
class Event:
    """An event that was sent to an instance. at: in the worker's own clock."""

    type: str
    payload: Any
    at: datetime

    @classmethod
    def of(cls, record: dict[str, Any]) -> Event:
        """Return the event that a record of the host describes."""
        return cls(record["type"], decoded(record["payload"]), _required(record["at"]))


@dataclass(frozen=True, slots=True)
class Step:
    """One step. Times are in the worker's own clock.

    type: "do", "sleep", "waitForEvent". count: its number among the steps of this name and type.
    status: "started", "running", "retrying", "sleeping", "waiting", "succeeded" or "failed".
    due: when a sleep, a wait or a retry delay ends. event_type: of a wait.
    """

    name: str
    count: int
    type: str
    status: str
    output: Any
    error: dict[str, str] | None
    attempts: tuple[Attempt, ...]
    config: dict[str, Any]
    event_type: str
    line: str
    started: datetime | None
    ended: datetime | None
    due: datetime | None

    @classmethod
    def of(cls, record: dict[str, Any]) -> Step:
        """Return the step that a record of the host describes."""
        attempts = tuple(
            Attempt(_required(each["start"]), _time(each["end"]), each["success"], each["error"])
            for each in record.get("attempts", ())
        )
        kind = record["type"]
        return cls(
            record["name"],
            record["count"],
            "do" if kind == "step" else kind,
            record["state"],
            decoded(record["value"]),
            record["error"],
            attempts,
            record.get("config") or {},
            record.get("event_type") or "",
            record.get("line") or "",
            _time(record.get("start")),
            _time(record.get("end")),
            _time(record.get("due")),
        )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _required(text: str) -> datetime:
    return datetime.fromisoformat(text)
