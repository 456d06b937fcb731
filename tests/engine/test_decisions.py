"""What the pure functions of `decide/` record and answer, word by word, without an engine."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from emulator.engine.actions import (
    Action,
    Ask,
    CallOff,
    Decision,
    Deliver,
    Drop,
    Execute,
    Queue,
    Reject,
    Resolve,
)
from emulator.engine.decide import (
    beginnings,
    checks,
    endings,
    lifecycle,
    payloads,
    rollbacks,
    steps,
)
from emulator.engine.decide.retention import expires_ms
from emulator.engine.decide.step_call import StepCall
from emulator.engine.decide.step_config import resolve_config, resolve_rollback_config
from emulator.engine.model import fold
from emulator.engine.model.definition import Retention
from emulator.engine.model.entries import Entry
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.failure import (
    LATER_TRACEBACK_MAX_BYTES,
    TRACED_ATTEMPTS,
    ErrorInfo,
    Failure,
    TracedFailure,
    kept_traceback,
)
from emulator.engine.model.instance import Instance
from emulator.engine.model.instance_entries import (
    CodeVersion,
    Queued,
    ReceivedEvent,
    Resumption,
    RollbackStart,
    Termination,
)
from emulator.engine.model.step_entries import (
    AttemptFailure,
    Interruption,
    Origin,
    SleepStart,
    StepStart,
    WaitStart,
)
from emulator.engine.model.step_key import StepKind
from emulator.errors import WorkerError
from emulator.json_types import Json
from emulator.protocol.runs import StepBegin

K = EntryKind
NOW_MS = 1_000
DO, SLEEP, WAIT = "do:1:charge", "sleep:1:nap", "waitForEvent:1:paid"
ERROR = ErrorInfo("ValueError", "no")
CONFIG = resolve_config({"retries": {"limit": 2, "delay": 100, "backoff": "constant"}})
SHOWN: dict[str, Json] = {
    "retries": {"limit": 2, "delay": 100, "backoff": "constant"},
    "timeout": "10 minutes",
}
TOO_LARGE = b'"' + b"x" * 1_048_576 + b'"'


def instance(*happened: Entry) -> Instance:
    """An instance that has begun, with these entries after that."""
    made = Instance(7, "orders", "order-17")
    begun = (
        Entry(7, 1, K.WORKFLOW_QUEUED, data=Queued("api"), value=b"{}"),
        Entry(7, 2, K.WORKFLOW_START, data=CodeVersion(3)),
    )
    for entry in (*begun, *happened):
        fold.apply(made, entry)
    return made


STARTED = Entry(7, 10, K.STEP_START, DO, data=StepStart(CONFIG))


def attempted(number: int = 1) -> Entry:
    return Entry(7, 11, K.ATTEMPT_START, DO, number)


def again(made: Instance, key: str, now_ms: int = NOW_MS) -> Decision:
    """What a call of the recorded step gets."""
    step = made.steps[key]
    return steps.begin(made, StepCall(step.kind, step.name, step.count, {}), now_ms)


def only(decision: Decision) -> Action:
    (action,) = decision.actions
    return action


WAITS = Entry(7, 10, K.WAIT_START, WAIT, data=WaitStart("paid", 5_000))
PAID = Entry(7, 20, K.EVENT_RECEIVED, data=ReceivedEvent("paid"), value=b"8")
VALUE = payloads.received_event("paid", 20, b"8")


def test_a_call_of_a_step_that_has_ended_gets_its_recorded_end() -> None:
    done = instance(STARTED, attempted(), Entry(7, 12, K.STEP_SUCCESS, DO, value=b"42"))
    assert again(done, DO) == Decision(actions=[Resolve(b"42")])

    final = instance(STARTED, Entry(7, 12, K.STEP_FAILURE, DO, data=Failure(ERROR)))
    assert again(final, DO) == Decision(actions=[Reject(ERROR)])


def test_a_call_of_a_step_that_never_began_its_attempt_begins_the_first() -> None:
    made = instance(STARTED)

    assert again(made, DO) == Decision(
        [Entry(7, NOW_MS, K.ATTEMPT_START, DO, 1)], [Execute(1, SHOWN)]
    )


def test_a_call_of_a_step_that_a_restart_cut_off_begins_the_next_attempt() -> None:
    made = instance(STARTED, attempted(2))

    assert again(made, DO) == Decision(
        [
            Entry(7, NOW_MS, K.ATTEMPT_INTERRUPTED, DO, 2, Interruption("restart")),
            Entry(7, NOW_MS, K.ATTEMPT_START, DO, 3),
        ],
        [Execute(3, SHOWN)],
    )


def test_a_call_of_a_step_whose_delay_function_was_not_answered_asks_it_again() -> None:
    asks = Entry(7, 12, K.ATTEMPT_FAILURE, DO, 1, AttemptFailure(ERROR, asks_delay=True))
    made = instance(STARTED, attempted(), asks)

    assert again(made, DO) == Decision(actions=[Ask(1, ERROR)])


def test_a_call_of_a_step_that_waits_for_its_retry_waits_until_it_is_due() -> None:
    failed = Entry(7, 100, K.ATTEMPT_FAILURE, DO, 1, AttemptFailure(ERROR, 900))
    made = instance(STARTED, attempted(), failed)

    assert again(made, DO, 999) == Decision()
    assert again(made, DO, 1_000) == Decision(
        [Entry(7, 1_000, K.ATTEMPT_START, DO, 2)], [Execute(2, SHOWN)]
    )


def test_a_call_of_a_sleep_waits_until_it_is_over() -> None:
    made = instance(Entry(7, 10, K.SLEEP_START, SLEEP, data=SleepStart(990, 1_000)))

    assert again(made, SLEEP, 999) == Decision()
    assert again(made, SLEEP, 1_000) == Decision(
        [Entry(7, 1_000, K.SLEEP_COMPLETE, SLEEP)], [Resolve()]
    )


def test_a_call_of_a_wait_gets_the_event_that_has_come_or_waits_until_its_deadline() -> None:
    got = Decision([Entry(7, NOW_MS, K.WAIT_COMPLETE, WAIT, value=VALUE)], [Resolve(VALUE)])
    assert again(instance(WAITS), WAIT) == Decision()

    # An event in the buffer while the step waits: its delivery was cut off by a crash.
    made = instance(WAITS)
    made.events["paid"] = deque([(20, b"8")])
    assert again(made, WAIT) == got

    timed_out = ErrorInfo("WorkflowTimeoutError", "Execution timed out after 5000ms")
    late = again(instance(WAITS), WAIT, 5_010)
    assert late.actions == [Reject(timed_out)]
    assert late.entries == [Entry(7, 5_010, K.WAIT_TIMED_OUT, WAIT, data=Failure(timed_out))]


def test_an_event_that_came_in_time_is_delivered_after_the_deadline() -> None:
    made = instance(WAITS)
    made.events["paid"] = deque([(5_010, b"8")])
    value = payloads.received_event("paid", 5_010, b"8")

    assert steps.due(made, made.steps[WAIT], 6_000) == Decision(
        [Entry(7, 6_000, K.WAIT_COMPLETE, WAIT, value=value)], [Resolve(value)]
    )
    made.events["paid"] = deque([(5_011, b"8")])
    late = steps.due(made, made.steps[WAIT], 6_000)
    assert late is not None and late.entries[0].kind is K.WAIT_TIMED_OUT


def test_a_result_that_is_too_large_fails_its_attempt() -> None:
    made = instance(STARTED, attempted())
    error = ErrorInfo(
        "WorkflowInternalError", "Step charge-1 output is too large. Maximum allowed size is 1MiB."
    )

    assert steps.succeed(made, made.steps[DO], TOO_LARGE, NOW_MS) == Decision(
        [Entry(7, NOW_MS, K.ATTEMPT_FAILURE, DO, 1, AttemptFailure(error, 100))], []
    )


def test_a_result_of_exactly_a_mebibyte_is_not_too_large() -> None:
    largest = b'"' + b"x" * (1_048_576 - 2) + b'"'

    assert not steps.is_too_large(largest)
    assert steps.is_too_large(b'"x' + largest[1:])


@pytest.mark.parametrize(
    ("limit", "delay_ms"), [(0, None), (2, 100)], ids=["the last attempt", "one before it"]
)
def test_a_failed_attempt_is_recorded_with_its_traceback(limit: int, delay_ms: int | None) -> None:
    config = resolve_config({"retries": {"limit": limit, "delay": 100, "backoff": "constant"}})
    made = instance(Entry(7, 10, K.STEP_START, DO, data=StepStart(config)), attempted())

    failed = steps.fail(made, made.steps[DO], ERROR, NOW_MS, "its frames").entries[0]

    assert failed.data == AttemptFailure(ERROR, delay_ms, traceback="its frames")


def test_less_is_kept_of_the_tracebacks_of_later_attempts() -> None:
    config = resolve_config({"retries": {"limit": 100, "delay": 0}})
    later = TRACED_ATTEMPTS + 1
    made = instance(Entry(7, 10, K.STEP_START, DO, data=StepStart(config)), attempted(later))
    frames = "a frame\n" * LATER_TRACEBACK_MAX_BYTES

    failed = steps.fail(made, made.steps[DO], ERROR, NOW_MS, frames).entries[0]

    assert isinstance(failed.data, AttemptFailure)
    assert failed.data.traceback == kept_traceback(frames, later) != kept_traceback(frames)


def test_an_output_of_a_run_that_is_too_large_is_an_error() -> None:
    assert endings.problem_of(b"42") is None
    assert endings.problem_of(TOO_LARGE) == ErrorInfo(
        "WorkflowInternalError", "Workflow output is too large. Maximum allowed size is 1MiB."
    )


def test_a_value_that_cannot_be_cloned_ends_its_instance() -> None:
    made = instance(STARTED, attempted())
    attempt, step, end = endings.not_serialisable(made, made.steps[DO], "a socket", NOW_MS)
    error = ErrorInfo(
        "WorkflowFatalError", 'Value returned from step "charge" is not serialisable: a socket'
    )

    assert attempt == Entry(7, NOW_MS, K.ATTEMPT_FAILURE, DO, 1, AttemptFailure(error))
    assert step == Entry(7, NOW_MS, K.STEP_FAILURE, DO, data=Failure(error))
    assert end == endings.failed(
        made,
        ErrorInfo(
            "WorkflowFatalError",
            'The execution of the Workflow instance was terminated, as the step "charge" returned'
            " a value which is not serialisable",
        ),
        NOW_MS,
    )


def test_an_instance_that_took_guest_after_guest_ends_with_the_reason() -> None:
    made = instance()

    assert endings.hopeless(made, 5, "exited with status 3", NOW_MS) == endings.failed(
        made,
        ErrorInfo(
            "WorkflowInternalError",
            "The worker went away 5 times while it ran this instance: exited with status 3",
        ),
        NOW_MS,
    )


def test_the_first_attempt_of_a_handler_gets_the_configuration_of_the_handler() -> None:
    handler = resolve_rollback_config({"timeout": 7})
    started = Entry(7, 10, K.STEP_START, DO, data=StepStart(CONFIG, Origin(), handler))
    made = instance(started, attempted(), Entry(7, 12, K.STEP_SUCCESS, DO, value=b"1"))
    call = StepCall(StepKind.ROLLBACK, "charge", 1, {})

    decision = beginnings.first(made, call, NOW_MS, 10)

    assert only(decision) == Execute(1, handler.config)  # type: ignore[arg-type]
    assert decision.entries[0].data == handler


def test_a_step_without_options_is_recorded_with_the_line_of_its_call() -> None:
    call = StepCall(StepKind.DO, "charge", 1, {}, "src/entry.py:31")

    start = beginnings.first(instance(), call, NOW_MS, 10).entries[0]

    assert isinstance(start.data, StepStart) and start.data.origin == Origin("src/entry.py:31")


@pytest.mark.parametrize("timeout", [1_000, "365 days"])
def test_the_shortest_and_the_longest_wait_are_allowed(timeout: object) -> None:
    options: Any = {"type": "paid", "timeout": timeout}
    call = StepCall(StepKind.WAIT, "paid", 1, options, "src/entry.py:9")

    (start,) = beginnings.first(instance(), call, NOW_MS, 10).entries

    assert isinstance(start.data, WaitStart) and start.data.origin == Origin("src/entry.py:9")


def test_a_first_wait_gets_the_oldest_event_in_the_buffer() -> None:
    call = StepCall(StepKind.WAIT, "paid", 1, {"type": "paid"})

    decision = beginnings.first(instance(PAID), call, NOW_MS, 10)

    assert decision.entries[1] == Entry(7, NOW_MS, K.WAIT_COMPLETE, WAIT, value=VALUE)
    assert decision.actions == [Resolve(VALUE)]


def test_a_resumption_of_a_user_says_nothing_of_divergences() -> None:
    paused = instance(Entry(7, 5, K.WORKFLOW_PAUSED))
    pausing = instance(Entry(7, 5, K.WORKFLOW_PAUSING))
    resumed = Entry(7, NOW_MS, K.WORKFLOW_RESUMED, data=Resumption())

    assert lifecycle.resume(paused, NOW_MS) == Decision([resumed], [Queue(paused), Deliver(paused)])
    assert lifecycle.resume(pausing, NOW_MS) == Decision(
        [resumed], [CallOff(pausing), Deliver(pausing)]
    )


def test_a_termination_rolls_nothing_back_unless_it_is_asked_to() -> None:
    handler = resolve_rollback_config(None)
    started = Entry(7, 10, K.STEP_START, DO, data=StepStart(CONFIG, Origin(), handler))
    made = instance(started, attempted(), Entry(7, 12, K.STEP_SUCCESS, DO, value=b"1"))

    ended = lifecycle.terminate(made, NOW_MS)

    assert ended == Decision(
        [Entry(7, NOW_MS, K.WORKFLOW_TERMINATED, data=Termination())], [Drop(made)]
    )
    asked = lifecycle.terminate(made, NOW_MS, rollback=True)
    assert asked.entries[0].kind is K.ROLLBACK_START


def test_an_instance_is_recorded_as_created_by_a_binding_unless_told_otherwise() -> None:
    assert lifecycle.queued(7, 1, b"{}") == Entry(
        7, 1, K.WORKFLOW_QUEUED, data=Queued("binding", None, {}), value=b"{}"
    )


@pytest.mark.parametrize(
    ("check", "what"),
    [
        (lambda: checks.check_new(None, TOO_LARGE), "Workflow params"),
        (lambda: checks.check_new_in_batch(None, TOO_LARGE), "Workflow params"),
        (lambda: checks.check_event("paid", TOO_LARGE), "Event payload"),
    ],
)
def test_a_value_that_is_too_large_is_refused_by_its_name_and_size(check: Any, what: str) -> None:
    with pytest.raises(WorkerError) as refused:
        check()

    assert str(refused.value) == (
        f"{what} of 1,048,578 bytes are too large. Maximum allowed size is 1MiB."
    )


def test_a_handler_that_waits_for_its_retry_is_found_among_other_waiting_steps() -> None:
    failed = Entry(7, 100, K.ATTEMPT_FAILURE, DO, 1, AttemptFailure(ERROR, 900))
    made = instance(STARTED, attempted(), failed)

    assert made.steps[DO].due_ms == 1_000
    assert rollbacks.retry_ms(made) is None


def test_a_step_that_the_code_had_left_out_is_found_again_before_it_is_answered() -> None:
    made = instance(STARTED, attempted(), Entry(7, 12, K.STEP_SUCCESS, DO, value=b"42"))
    made.aside[DO] = made.steps.pop(DO)

    found = steps.begin(made, StepCall(StepKind.DO, "charge", 1, {}), NOW_MS)

    assert found == Decision([Entry(7, NOW_MS, K.STEP_FOUND, DO)], [Resolve(b"42")])


def test_a_delay_function_is_asked_with_the_attempt_and_error_that_failed() -> None:
    asks = resolve_config({"retries": {"limit": 2, "delay": {"$function": 1}}})
    made = instance(Entry(7, 10, K.STEP_START, DO, data=StepStart(asks)), attempted())

    assert steps.fail(made, made.steps[DO], ERROR, NOW_MS, "its frames") == Decision(
        [
            Entry(
                7,
                NOW_MS,
                K.ATTEMPT_FAILURE,
                DO,
                1,
                AttemptFailure(ERROR, asks_delay=True, traceback="its frames"),
            )
        ],
        [Ask(1, ERROR)],
    )


def test_a_delay_function_that_fails_ends_its_step_whatever_it_gave() -> None:
    asks = resolve_config({"retries": {"limit": 2, "delay": {"$function": 1}}})
    waits = AttemptFailure(ERROR, asks_delay=True)
    made = instance(
        Entry(7, 10, K.STEP_START, DO, data=StepStart(asks)),
        attempted(),
        Entry(7, 12, K.ATTEMPT_FAILURE, DO, 1, waits),
    )
    text = 'The delay function for step "charge-1" raised a ValueError'
    error = ErrorInfo("NonRetryableDelayError", text)
    ended = Entry(7, NOW_MS, K.STEP_FAILURE, DO, data=Failure(error))

    for given in (None, 5_000):
        found = steps.delayed(made, made.steps[DO], given, "raised a ValueError", NOW_MS)
        assert found == Decision([ended], [Reject(error)])


def test_the_attempts_of_a_handler_are_recorded_as_its_own() -> None:
    key, handler = "rollback:1:charge", resolve_rollback_config(None)
    started = Entry(7, 10, K.STEP_START, DO, data=StepStart(CONFIG, Origin(), handler))
    made = instance(
        started,
        attempted(),
        Entry(7, 12, K.STEP_SUCCESS, DO, value=b"1"),
        Entry(7, 13, K.ROLLBACK_START, data=RollbackStart(ERROR, 1, False)),
        Entry(7, 14, K.ROLLBACK_STEP_START, key, data=handler),
        Entry(7, 15, K.ROLLBACK_ATTEMPT_START, key, 1),
    )

    assert steps.succeed(made, made.steps[key], b"null", NOW_MS) == Decision(
        [
            Entry(7, NOW_MS, K.ROLLBACK_ATTEMPT_SUCCESS, key, 1),
            Entry(7, NOW_MS, K.ROLLBACK_STEP_SUCCESS, key, value=b"null"),
        ],
        [Resolve()],
    )


def begun(count: int, shared: int = 0) -> StepBegin:
    return StepBegin(
        run=1,
        call=1,
        kind="do",
        name="charge",
        count=count,
        options={"config": {}},
        line="src/entry.py:31",
        shared=shared,
    )


OUTER = "do:1:outer"


@pytest.mark.parametrize(
    ("message", "parent", "expected"),
    [
        (begun(2), "", ("do:2:charge", "", 0, False)),
        (begun(1), OUTER, ("do:2:charge", OUTER, 1, False)),
        (begun(3, shared=2), OUTER, ("do:2:charge", OUTER, 2, True)),
        (begun(3, shared=1), OUTER, ("do:1:charge", OUTER, 3, False)),  # run() has called it
    ],
)
def test_a_call_knows_its_key_its_caller_and_its_number(
    message: StepBegin, parent: str, expected: tuple[str, str, int, bool]
) -> None:
    outer = Entry(7, 9, K.STEP_START, OUTER, data=StepStart(CONFIG))
    made = instance(outer, STARTED)

    call = StepCall.of(message, StepKind.DO, parent, made)

    assert (call.key, call.parent, call.nth, call.shared) == expected
    assert (call.kind, call.name, call.options) == (StepKind.DO, "charge", {"config": {}})
    assert call.line == "src/entry.py:31"


def test_a_call_by_run_is_counted_by_its_place_once_callbacks_have_called_steps() -> None:
    outer = Entry(7, 9, K.STEP_START, OUTER, data=StepStart(CONFIG))
    inner = Entry(7, 10, K.STEP_START, DO, data=StepStart(CONFIG, Origin("", OUTER, 1)))
    made = instance(outer, inner)

    call = StepCall.of(begun(1), StepKind.DO, "", made)

    assert (call.key, call.parent, call.nth) == ("do:2:charge", "", 1)


@pytest.mark.parametrize(
    ("end", "kept_ms"),
    [
        (Entry(7, 5_000, K.WORKFLOW_SUCCESS, value=b"1"), 10),
        (Entry(7, 5_000, K.WORKFLOW_FAILURE, data=TracedFailure(ERROR)), 20),
        (Entry(7, 5_000, K.WORKFLOW_TERMINATED, data=Termination()), 20),
    ],
)
def test_an_instance_expires_so_long_after_its_end(end: Entry, kept_ms: int) -> None:
    default = Retention(10, 20)

    assert expires_ms(instance(), default) is None
    assert expires_ms(instance(end), default) == 5_000 + kept_ms
