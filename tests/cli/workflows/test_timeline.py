"""What is drawn of an instance, from details as the REST API gives them."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.cli.cells import columns
from emulator.cli.ink import Ink
from emulator.cli.workflows.drawing.card import instance_page
from emulator.cli.workflows.drawing.spans import span
from emulator.cli.workflows.drawing.timeline import Page
from emulator.engine.model.plain import iso

BOOM = {"name": "ValueError", "message": "card declined"}
CUT = {
    "name": "WorkflowInternalError",
    "message": "The attempt was cut off by a reload",
}


def attempt(start_ms: int, end_ms: int | None = None, error: Any = None) -> Any:
    return {
        "start": iso(start_ms),
        "end": None if end_ms is None else iso(end_ms),
        "success": None if end_ms is None else error is None,
        "error": error,
    }


def do(name: str, *attempts: Any, success: bool | None = True, **more: Any) -> Any:
    return {
        "name": name,
        "type": "step",
        "start": attempts[0]["start"],
        "end": None if success is None else attempts[-1]["end"],
        "success": success,
        "config": {},
        "attempts": list(attempts),
        "line": "src/entry.py:9",
        **more,
    }


def sleep(name: str, start_ms: int, end_ms: int | None = None, **more: Any) -> Any:
    end = None if end_ms is None else iso(end_ms)
    return {
        "name": name,
        "type": "sleep",
        "start": iso(start_ms),
        "end": end,
        "finished": end is not None,
        "error": None,
        "line": "",
        **more,
    }


def wait(name: str, start_ms: int, end_ms: int | None = None, **more: Any) -> Any:
    given = {"type": "waitForEvent", "event_type": "approved", "output": None}
    return sleep(name, start_ms, end_ms) | given | more


def detail(*steps: Any, status: str = "running", **more: Any) -> Any:
    return {
        "status": status,
        "params": {"n": 1},
        "trigger": {"source": "api"},
        "versionId": "v",
        "queued": iso(0),
        "start": iso(0),
        "end": None,
        "success": None,
        "error": None,
        "output": None,
        "step_count": len(steps),
        "steps": list(steps),
        **more,
    }


def drawn(
    told: Any, *, width: int = 80, now_ms: int = 10_000, live: bool = True, **page: Any
) -> str:
    return instance_page("flow", "order-17", told, Page(width, Ink(False), now_ms, **page), live)


def steps_of(told: Any, **options: Any) -> list[str]:
    return drawn(told, **options).partition("\nSteps")[2].splitlines()[2:]


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_239, "1.23 s"),
        (59_999, "59.9 s"),
        (312_000, "5m 12s"),
        (7_380_000, "2h 03m"),
        (183_600_000, "2d 03h"),
        (-5, "0 ms"),
    ],
)
def test_a_duration_is_told_in_two_units_at_most(ms: int, text: str) -> None:
    assert span(ms) == text


def test_offset_duration_name_and_code_are_in_columns() -> None:
    told = detail(do("charge-1", attempt(40, 1_280)), sleep("nap-1", 1_300, 2_300))

    assert steps_of(told, width=60) == [
        "   +40 ms   1.24 s  ✓ charge  src/entry.py:9",
        "  +1.30 s   1.00 s  ✓ nap     slept",
    ]


def test_bars_show_when_each_step_was_at_work_and_when_it_waited() -> None:
    retried = do("a-1", attempt(0, 2_000, BOOM), attempt(6_000, 8_000))
    told = detail(retried, sleep("nap-1", 8_000, 10_000), status="complete", end=iso(10_000))

    first, *_, last = steps_of(told, width=100, with_output=False)

    assert "━━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄━━━━━━━" in first
    assert "       ┄┄┄┄┄┄┄  slept" in last


def test_attempts_are_listed_once_one_has_failed() -> None:
    told = detail(do("charge-1", attempt(0, 100, BOOM), attempt(200, 300, CUT), attempt(300, 400)))

    assert steps_of(told) == [
        "    +0 ms   400 ms  ✓ charge  src/entry.py:9",
        "    +0 ms   100 ms    ✗ 1  ValueError: card declined",
        "  +200 ms   100 ms    ↯ 2  The attempt was cut off by a reload",
        "  +300 ms   100 ms    ✓ 3",
    ]


def test_the_middle_of_many_attempts_is_left_out() -> None:
    tries = [attempt(n * 10, n * 10 + 5, BOOM) for n in range(50)]
    lines = steps_of(detail(do("charge-1", *tries, success=False)))

    assert "✗ 2 " in lines[2] and "… 42 more attempts …" in lines[3] and "✗ 45" in lines[4]
    assert len(lines) == 1 + 2 + 1 + 6


def test_what_is_in_progress_says_what_it_waits_for_and_for_how_long() -> None:
    told = detail(
        do("a-1", attempt(0), success=None),
        do("b-1", attempt(0, 1_000, BOOM), success=None, due=iso(12_500)),
        sleep("nap-1", 0, due=iso(70_000)),
        wait("ok-1", 0, due=iso(86_410_000)),
    )
    text = "\n".join(steps_of(told, width=120))

    assert "● a    " in text and "running" in text
    assert "waiting for attempt 2, 2.50 s left" in text
    assert "asleep, 1m 00s left (until " in text
    assert 'waiting for "approved", 1d 00h left (until ' in text


def test_without_a_server_nothing_runs_and_what_is_due_waits_for_the_next_start() -> None:
    told = detail(do("a-1", attempt(0), success=None), sleep("nap-1", 0, due=iso(5_000)))
    text = drawn(told, live=False, width=120)

    assert "cut off when the server stopped; runs again" in text
    assert "asleep; due, at the next start" in text


def test_a_paused_instance_tells_no_deadlines() -> None:
    told = detail(sleep("nap-1", 0, due=iso(70_000)), status="paused")

    assert steps_of(told)[0].endswith("‖ nap  asleep; paused")


def test_what_an_ended_instance_left_behind_is_marked() -> None:
    told = detail(
        do("a-1", attempt(0), success=None),
        {"type": "termination", "trigger": {"source": "api"}},
        status="terminated",
        end=iso(500),
    )
    text = drawn(told)

    assert "flow / order-17  ■ terminated in 500 ms" in text
    assert "– a           unfinished when the instance was terminated" in text
    assert "■ terminated  by api" in text


def test_an_event_that_came_and_one_that_did_not() -> None:
    event = {"type": "approved", "payload": 5}
    late = {"name": "WorkflowTimeoutError", "message": "late"}
    lines = steps_of(detail(wait("a-1", 0, 10, output=event), wait("b-1", 10, 20, error=late)))

    assert 'received "approved"' in lines[0]
    assert '→ {"type": "approved", "payload": 5}' in lines[1]
    assert 'no "approved" came in time' in lines[2]


def test_steps_of_one_name_are_distinguished_by_their_count() -> None:
    text = drawn(detail(sleep("a-1", 0, 1), sleep("a-2", 1, 2), sleep("b-1", 2, 3)))

    assert "✓ a #1" in text and "✓ a #2" in text and "✓ b  " in text


def test_a_rollback_step_is_marked_as_one() -> None:
    undone = do("charge-1", attempt(0, 10)) | {"type": "rollback"}

    assert "✓ ↺ charge" in drawn(detail(undone))


def test_values_are_cut_to_a_line_unless_more_is_asked_for() -> None:
    told = detail(do("a-1", attempt(0, 10), output="x" * 300))

    assert "xx… (302 characters)" in drawn(told)
    wrapped = steps_of(told, output_limit=200)
    assert len(wrapped) == 5 and wrapped[-1].endswith("[...output truncated]")
    assert "xxx" not in drawn(told, with_output=False)


def test_errors_keep_their_lines_and_lose_their_escapes() -> None:
    failed = {"name": "ValueError", "message": "one\ntwo \x1b[31mred"}
    text = drawn(detail(status="errored", end=iso(5), error=failed))

    assert "  Error      ValueError: one\n             two \\x1b[31mred" in text


@pytest.mark.parametrize("width", [40, 57, 80, 100, 130, 200])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    told = detail(
        do(
            "喜欢 a name that is far too long for any terminal-1",
            attempt(0, 100, BOOM),
            attempt(200),
        ),
        do("b-1", attempt(300, 400), output={"text": "lorem ipsum " * 20}),
        wait("ok-1", 400, due=iso(86_400_000)),
        error={"name": "Error", "message": "word " * 50},
    )

    lines = drawn(told, width=width).splitlines()

    assert [line for line in lines if columns(line) > width] == []


def test_there_are_no_colours_outside_a_terminal() -> None:
    told = detail(do("a-1", attempt(0, 100)))

    assert "\x1b" not in drawn(told)
    assert "\x1b[32m✓\x1b[0m a" in instance_page("f", "i", told, Page(80, Ink(True), 1_000), True)


TRACEBACK = """Traceback (most recent call last):
  File "/lib/pay.py", line 9, in charge
    raise ValueError("card declined")
ValueError: card declined
"""


def test_a_failed_attempt_has_the_line_that_raised_and_the_page_the_traceback() -> None:
    failed = {**attempt(0, 10, BOOM), "traceback": TRACEBACK}
    again = {**attempt(20, 30, BOOM), "traceback": TRACEBACK}
    told = detail(do("charge-1", failed, again, success=None), status="waiting")

    page = drawn(told, width=120)

    where = 'raised at /lib/pay.py:9, in charge: raise ValueError("card declined")'
    assert page.count(where) == 1  # the second attempt failed at the same line
    below = page.partition("\nTraceback of charge-1, attempt 2\n")[2].splitlines()[1:]
    assert [line.removeprefix("  ") for line in below] == TRACEBACK.splitlines()
