"""What is printed for each event of a log."""

from __future__ import annotations

from typing import Any, cast

import pytest

from emulator.answers.workflows import LogEventDetail
from emulator.cli.cells import columns
from emulator.cli.ink import Ink
from emulator.cli.workflows.drawing.event_lines import event_lines
from emulator.engine.views.log import EVENT_TYPES

BOOM = {"name": "ValueError", "message": "card declined"}


def event(kind: str, **more: Any) -> LogEventDetail:
    told = {"instanceId": "i", "eventId": 1, "timestamp": 5_000, "type": kind, **more}
    return cast(LogEventDetail, told)


def told(kind: str, width: int = 120, **more: Any) -> str:
    """Return the text of an event without its time."""
    lines = list(event_lines(event(kind, **more), 4_000, width, Ink(False)))
    return "\n".join([line[14:] if n == 0 else line for n, line in enumerate(lines)])


def test_a_line_has_offset_sign_step_and_what_happened() -> None:
    local = {"durationMs": 12, "line": "src/entry.py:7"}

    assert told("step_completed", stepName="charge-1", output=3, local=local) == (
        "  +1.00 s  ✓ charge                  done in 12 ms"
    )


def test_a_failed_attempt_says_why_and_when_it_is_tried_again() -> None:
    failed: dict[str, Any] = {
        "stepName": "charge-2",
        "attempt": 1,
        "error": BOOM,
        "retryDelayMs": 2_000,
    }

    assert told("attempt_errored", **failed).endswith(
        "✗ charge #2               attempt 1 failed: ValueError: card declined; again in 2.00 s"
    )


def test_what_says_nothing_new_has_no_line() -> None:
    assert told("attempt_started", stepName="a-1", attempt=1) == ""
    assert told("attempt_completed", stepName="a-1", attempt=1) == ""
    assert "attempt 2 begins" in told("attempt_started", stepName="a-1", attempt=2)


def test_waits_and_sleeps_say_for_what_and_how_long() -> None:
    assert 'waits for "approved"' in told("wait_started", stepName="a-1", eventType="approved")
    assert "sleeps for 1m 00s" in told("sleep_started", stepName="a-1", durationMs=60_000)
    assert 'event received: "approved"' in told("local_event_received", eventType="approved")


def test_a_rollback_looks_different_from_its_step() -> None:
    done = told("rollback_step_completed", stepName="charge-1", local={"durationMs": 3})

    assert done.endswith("✓ charge                  rollback: done in 3 ms")
    assert "↺ rolling back" in told("rollback_started")
    assert "✗ rollback failed: ValueError" in told("rollback_errored", error=BOOM)


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
def test_every_event_of_production_has_words_of_its_own(kind: str) -> None:
    is_step = kind.removeprefix("rollback_").startswith(("step", "attempt", "sleep", "wait"))
    more: dict[str, Any] = {"stepName": "a-1", "attempt": 2, "durationMs": 1} if is_step else {}

    assert kind.replace("_", " ") not in told(kind, **more)


def test_an_event_that_is_not_known_yet_is_told_by_its_name() -> None:
    assert told("local_something_new").endswith("○ something new")


def test_an_instance_that_is_held_says_why() -> None:
    assert told("workflow_paused", local={"action": "hold"}).endswith(
        "paused: its code does not fit what was done"
    )
    renamed = told("local_step_renamed", stepName="b-1", oldName="a-1")
    assert renamed.endswith("● b                       renamed from a-1")


def test_long_errors_wrap_under_themselves_and_drive_no_terminal() -> None:
    error = {"name": "E", "message": "\x1b[31m" + "word " * 60 + "\nlast"}
    text = told("workflow_errored", width=70, error=error)

    lines = text.splitlines()
    assert "\x1b" not in text and lines[-1].strip() == "last"
    assert all(columns(line) <= 70 for line in lines)
