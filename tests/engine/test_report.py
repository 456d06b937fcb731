"""What REST tells of an instance, from histories written by hand."""

from __future__ import annotations

from typing import Any, cast

from emulator.answers.workflows import InstanceDetail
from emulator.engine.model.entries import Entry, from_json
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.step import Step, StepState
from emulator.engine.model.step_key import StepKind
from emulator.engine.views.report import instance_detail, step_detail, tell_due_times
from emulator.protocol import values

CONFIG = {"retries": {"limit": 5, "delay": 10_000, "backoff": "exponential"}, "timeout": 600_000}
BOOM = {"name": "ValueError", "message": "boom"}

NO = {"name": "ValueError", "message": "no"}

SPANS = {"timeoutMs": 1, "delayMs": 1}


def at(
    ms: int,
    kind: EntryKind,
    step: str = "",
    attempt: int = 0,
    data: dict[str, Any] | None = None,
    value: Any = None,
) -> Entry:
    encoded = b"" if value is None else values.encode(value)
    return Entry(7, ms, kind, step, attempt, from_json(kind, data or {}), encoded)


def traced(traceback: str) -> dict[str, Any]:
    return {"error": NO, "traceback": traceback}


def second(n: int, ms: int = 0) -> str:
    return f"1970-01-01T00:00:{n:02d}.{ms:03d}Z"


BEGIN = [
    at(1_000, EntryKind.WORKFLOW_QUEUED, data={"trigger": {"source": "api"}}, value={"n": 1}),
    at(1_500, EntryKind.WORKFLOW_START),
]


def started(ms: int, step: str, config: dict[str, Any] = CONFIG) -> Entry:
    return at(
        ms, EntryKind.STEP_START, step, data={**SPANS, "config": config, "line": "src/entry.py:31"}
    )


def succeeded(ms: int, step: str, attempt: int, value: Any) -> list[Entry]:
    return [
        at(ms, EntryKind.ATTEMPT_SUCCESS, step, attempt),
        at(ms, EntryKind.STEP_SUCCESS, step, value=value),
    ]


RETRIED = [
    *BEGIN,
    started(2_000, "do:1:charge"),
    at(2_000, EntryKind.ATTEMPT_START, "do:1:charge", 1),
    at(3_000, EntryKind.ATTEMPT_FAILURE, "do:1:charge", 1, {"error": BOOM, "retryDelayMs": 1_000}),
    at(4_000, EntryKind.ATTEMPT_START, "do:1:charge", 2),
    *succeeded(5_000, "do:1:charge", 2, {"paid": 3}),
]


def detail(entries: list[Entry], status: Status = Status.RUNNING) -> dict[str, Any]:
    return dict(instance_detail(entries, status, "v1"))


def only_step(entries: list[Entry], status: Status = Status.RUNNING) -> dict[str, Any]:
    (step,) = detail(entries, status)["steps"]
    assert isinstance(step, dict)
    return step


def test_a_queued_instance_has_neither_start_nor_end() -> None:
    told = detail(BEGIN[:1], Status.QUEUED)

    assert told["queued"] == second(1)
    assert told["start"] is None and told["end"] is None and told["success"] is None
    assert told["params"] == {"n": 1}
    assert told["trigger"] == {"source": "api"}
    assert told["versionId"] == "v1"


def test_a_complete_instance_tells_its_output_and_success() -> None:
    told = detail([*BEGIN, at(9_000, EntryKind.WORKFLOW_SUCCESS, value=[1])], Status.COMPLETE)

    assert (told["end"], told["success"], told["output"]) == (second(9), True, [1])
    assert told["error"] is None


def test_an_errored_instance_tells_its_error() -> None:
    failure = at(9_000, EntryKind.WORKFLOW_FAILURE, data={"error": BOOM})
    told = detail([*BEGIN, failure], Status.ERRORED)

    assert (told["success"], told["error"], told["output"]) == (False, BOOM, None)


OF_CHARGE = 'Traceback\n  File "/p/pay.py", line 9, in charge\n    raise\nValueError: no\n'
OF_RUN = (
    'Traceback\n  File "/p/e.py", line 3, in run\n    await charge()\nValueError: ValueError: no\n'
)


def test_an_errored_instance_tells_the_line_that_raised_before_the_call() -> None:
    told = detail(
        [
            *RETRIED[:4],
            at(3_000, EntryKind.ATTEMPT_FAILURE, "do:1:charge", 1, traced(OF_CHARGE)),
            at(3_000, EntryKind.STEP_FAILURE, "do:1:charge", data={"error": NO}),
            at(9_000, EntryKind.WORKFLOW_FAILURE, data=traced(OF_RUN)),
        ],
        Status.ERRORED,
    )

    assert told["steps"][0]["attempts"][0]["traceback"] == OF_CHARGE
    assert told["traceback"].startswith(OF_CHARGE.rstrip())
    assert told["traceback"].endswith(OF_RUN)


def test_the_failure_of_a_rollback_handler_is_not_the_cause_of_the_instances_error() -> None:
    begins = {"config": CONFIG, "timeoutMs": 1, "delayMs": 0}
    told = detail(
        [
            *BEGIN,
            at(3_000, EntryKind.ROLLBACK_START, data={"triggerError": NO, "traceback": OF_RUN}),
            at(3_000, EntryKind.ROLLBACK_STEP_START, "rollback:1:charge", data=begins),
            at(3_000, EntryKind.ROLLBACK_ATTEMPT_START, "rollback:1:charge", 1),
            at(3_000, EntryKind.ROLLBACK_ATTEMPT_FAILURE, "rollback:1:charge", 1, traced("x\n")),
            at(9_000, EntryKind.WORKFLOW_FAILURE, data={"error": NO}),
        ],
        Status.ERRORED,
    )

    assert told["traceback"] == OF_RUN


def test_a_terminated_instance_ends_its_steps_with_the_termination() -> None:
    entry = at(9_000, EntryKind.WORKFLOW_TERMINATED, data={"trigger": {"source": "api"}})
    told = detail([*RETRIED, entry], Status.TERMINATED)

    assert told["steps"][-1] == {"type": "termination", "trigger": {"source": "api"}}
    assert told["step_count"] == 1


def test_a_step_lists_each_attempt_with_its_error() -> None:
    step = only_step(RETRIED)

    assert step == {
        "name": "charge-1",
        "type": "step",
        "start": second(2),
        "end": second(5),
        "success": True,
        "output": {"paid": 3},
        "config": CONFIG,
        "attempts": [
            {"start": second(2), "end": second(3), "success": False, "error": BOOM},
            {"start": second(4), "end": second(5), "success": True, "error": None},
        ],
        "line": "src/entry.py:31",
    }


def test_a_step_in_progress_has_no_end_and_no_output() -> None:
    step = only_step(RETRIED[:4])

    assert step["end"] is None and step["success"] is None and "output" not in step
    assert step["attempts"][0]["end"] is None


def test_an_interrupted_attempt_says_what_cut_it_off() -> None:
    cut = at(3_000, EntryKind.ATTEMPT_INTERRUPTED, "do:1:charge", 1, {"reason": "reload"})
    attempt = only_step([*RETRIED[:4], cut])["attempts"][0]

    assert attempt["success"] is False
    assert "cut off by a reload" in attempt["error"]["message"]


def test_a_sleep_is_unfinished_until_it_is_over() -> None:
    start = at(2_000, EntryKind.SLEEP_START, "sleep:1:nap", data={"durationMs": 9, "untilMs": 0})
    over = at(3_000, EntryKind.SLEEP_COMPLETE, "sleep:1:nap")

    assert only_step([*BEGIN, start]) == {
        "name": "nap-1",
        "type": "sleep",
        "start": second(2),
        "end": None,
        "finished": False,
        "error": None,
        "line": "",
    }
    assert only_step([*BEGIN, start, over])["end"] == second(3)


def test_a_wait_shows_the_event_it_received() -> None:
    start = at(2_000, EntryKind.WAIT_START, "waitForEvent:1:ok", data={**SPANS, "event": "approve"})
    event = {"payload": 5, "timestamp": "…", "type": "approve"}
    received = at(3_000, EntryKind.WAIT_COMPLETE, "waitForEvent:1:ok", value=event)
    step = only_step([*BEGIN, start, received])

    assert (step["event_type"], step["finished"], step["output"]) == ("approve", True, event)


def test_a_wait_that_timed_out_shows_the_error() -> None:
    start = at(2_000, EntryKind.WAIT_START, "waitForEvent:1:ok", data={**SPANS, "event": "approve"})
    late = at(3_000, EntryKind.WAIT_TIMED_OUT, "waitForEvent:1:ok", data={"error": BOOM})
    step = only_step([*BEGIN, start, late])

    assert (step["finished"], step["error"], step["output"]) == (True, BOOM, None)


SENSITIVE = [
    *BEGIN,
    started(2_000, "do:1:key", {**CONFIG, "sensitive": "output"}),
    at(2_000, EntryKind.ATTEMPT_START, "do:1:key", 1),
    *succeeded(3_000, "do:1:key", 1, "hunter2"),
]


def test_a_sensitive_output_is_redacted_everywhere() -> None:
    assert only_step(SENSITIVE)["output"] == "[REDACTED]"
    told = step_detail(SENSITIVE, Status.RUNNING, "key-1", StepKind.DO)
    assert told is not None and told["output"] == "[REDACTED]"


def test_the_second_step_of_a_name_is_distinguished() -> None:
    again = [
        started(6_000, "do:2:charge"),
        at(6_000, EntryKind.ATTEMPT_START, "do:2:charge", 1),
        *succeeded(7_000, "do:2:charge", 1, "second"),
    ]

    assert [step["name"] for step in detail([*RETRIED, *again])["steps"]] == [
        "charge-1",
        "charge-2",
    ]
    told = step_detail([*RETRIED, *again], Status.RUNNING, "charge-2", StepKind.DO)
    assert told == {"status": "complete", "error": None, "output": "second"}


def test_one_attempt_of_a_step_can_be_asked_for() -> None:
    told = step_detail(RETRIED, Status.RUNNING, "charge-1", StepKind.DO, attempt=1)

    assert told == {"status": "errored", "error": BOOM, "output": None}


def test_there_is_no_third_attempt_and_no_other_step() -> None:
    assert step_detail(RETRIED, Status.RUNNING, "charge-1", StepKind.DO, attempt=3) is None
    assert step_detail(RETRIED, Status.RUNNING, "other-1", StepKind.DO) is None
    assert step_detail(RETRIED, Status.RUNNING, "charge-1", StepKind.WAIT) is None


def test_a_step_between_two_attempts_is_waiting() -> None:
    told = step_detail(RETRIED[:5], Status.WAITING, "charge-1", StepKind.DO)

    assert told is not None and told["status"] == "waiting"


def test_a_step_that_an_ended_instance_left_behind_shares_its_status() -> None:
    told = step_detail(RETRIED[:4], Status.TERMINATED, "charge-1", StepKind.DO)

    assert told is not None and told["status"] == "terminated"


def test_only_what_waits_tells_when_that_ends() -> None:
    """A rollback that waits for its next attempt has the name of its step, and another type."""
    nap = at(2_000, EntryKind.SLEEP_START, "sleep:1:nap", data={"durationMs": 9, "untilMs": 0})
    undo = at(
        2_000, EntryKind.ROLLBACK_STEP_START, "rollback:1:charge", data={**SPANS, "config": CONFIG}
    )
    told = detail([*RETRIED, nap, undo])
    instance = Instance(7, "orders", "i")
    for key, state in (
        ("do:1:charge", StepState.SUCCEEDED),
        ("sleep:1:nap", StepState.SLEEPING),
        ("rollback:1:charge", StepState.RETRYING),
    ):
        instance.steps[key] = Step(key, state, due_ms=9_000)

    tell_due_times(cast(InstanceDetail, told), instance)

    assert [(step["type"], step.get("due")) for step in told["steps"]] == [
        ("step", None),
        ("sleep", second(9)),
        ("rollback", second(9)),
    ]
