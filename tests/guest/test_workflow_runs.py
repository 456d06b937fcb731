"""Transcripts of workflow runs: what the guest asks, in which order, and what user code gets."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.protocol import values
from emulator.protocol.bindings import BindingCall, BindingFailed, BindingResult
from emulator.protocol.message import Message
from emulator.protocol.runs import (
    History,
    RunAbort,
    RunEnd,
    StepBegin,
    StepDone,
    StepEnd,
    StepFailed,
    StepRun,
)
from tests.guest.conversation import EVENT, Conversation, play, workflow

CONFIG = {"retries": {"limit": 5}}
LEGACY = "2025-11-02"


def began(message: Message, kind: str, name: str, count: int = 1) -> StepBegin:
    """Assert that `message` begins this step; return it."""
    assert isinstance(message, StepBegin), message
    assert (message.kind, message.name, message.count) == (kind, name, count)
    return message


async def executed(it: Conversation, begin: Message, attempt: int = 1) -> StepEnd:
    """Have a step's callback executed; return how the attempt ended."""
    assert isinstance(begin, StepBegin), begin
    end = await it.ask(StepRun(begin.run, begin.call, attempt, CONFIG))
    assert isinstance(end, StepEnd), end
    return end


async def done(it: Conversation, begin: Message) -> Message:
    """Execute a step and record it as done; return what the guest says next."""
    end = await executed(it, begin)
    assert end.name == "", end
    return await it.ask(StepDone(end.run, end.call))


def returned(message: Message) -> Any:
    """Assert that the run returned; return its value."""
    assert isinstance(message, RunEnd), message
    assert message.name == "", message
    return values.decode(message.payload)


def raised(message: Message) -> tuple[str, str]:
    """Assert that the run raised; return the error's name and message."""
    assert isinstance(message, RunEnd), message
    assert message.name, message
    return message.name, message.message


def test_a_step_that_is_called_and_not_awaited_is_named_with_its_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    workflow(
        tmp_path,
        """
        @step.do("charge")
        async def charge():
            return 1

        charge()
        """,
    )

    async def script(it: Conversation) -> None:
        returned(await it.start())

    play(tmp_path, script)

    told = "entry.py:11: RuntimeWarning: coroutine 'charge (src/entry.py:7)' was never awaited"
    assert told in "".join(capfd.readouterr())


def test_steps_run_in_order_and_the_value_of_run_is_its_output(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do('first')\nasync def first():\n    return 2\n"
        "value = await first()\n"
        "@step.do('second', config={'timeout': '1 minute'})\ndef second():\n    return value * 21\n"
        "return {'answer': await second()}",
    )

    async def scenario(it: Conversation) -> None:
        first = began(await it.start(), "do", "first")
        assert (first.options, first.line, first.parent) == ({}, "src/entry.py:10", 0)
        end = await executed(it, first)
        assert values.decode(end.payload) == 2
        await it.nothing_left()  # the call is not resolved before the host says it is durable
        second = began(await it.ask(StepDone(1, first.call)), "do", "second")
        assert second.options == {"config": {"timeout": "1 minute"}}
        assert returned(await done(it, second)) == {"answer": 42}

    play(tmp_path, scenario)


def test_history_answers_finished_steps_without_a_message(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def paid():\n    return 'again'\n"
        "first = await paid()\nawait step.sleep('nap', '1 hour')\nsecond = await paid()\n"
        "return [first, second]",
    )

    async def scenario(it: Conversation) -> None:
        finished = [["do", "paid", 1, "ok", "recorded"], ["sleep", "nap", 1, "ok", None]]
        await it.tell(History(1, values.encode(finished)))
        second = began(await it.start(), "do", "paid", 2)
        assert returned(await done(it, second)) == ["recorded", "again"]

    play(tmp_path, scenario)


def test_history_comes_in_several_messages(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "async def number(n):\n    return await step.do(str(n))(lambda: None)()\n"
        "return [await number(n) for n in range(4)]",
    )

    async def scenario(it: Conversation) -> None:
        for half in (range(2), range(2, 4)):
            finished = [["do", str(n), 1, "ok", n] for n in half]
            await it.tell(History(1, values.encode(finished)))
        assert returned(await it.start()) == [0, 1, 2, 3]

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("recorded", "seen"),
    [
        (("TypeError", "no"), "TypeError: TypeError: no"),
        (("ValueError", "no"), "ValueError: ValueError: no"),
        (("RangeError", "no"), "ValueError: RangeError: no"),
        (("NonRetryableError", "no"), "NonRetryableError: no"),
        (("Error", "NonRetryableError: no"), "NonRetryableError: no"),
        (("KeyError", "'id'"), "JsException: KeyError: 'id'"),
        (("Error", "D1_ERROR: no"), "JsException: Error: D1_ERROR: no"),
    ],
)
def test_a_failed_step_raises_the_same_live_and_from_history(
    tmp_path: Path, recorded: tuple[str, str], seen: str
) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def pay():\n    pass\n"
        "try:\n    await pay()\nexcept Exception as error:\n"
        "    return f'{type(error).__name__}: {error}'",
    )
    name, message = recorded

    async def scenario(it: Conversation) -> None:
        live = began(await it.start(1), "do", "pay")
        assert returned(await it.ask(StepFailed(1, live.call, name, message))) == seen
        error = {"name": name, "message": message}
        await it.tell(History(2, values.encode([["do", "pay", 1, "error", error]])))
        assert returned(await it.start(2)) == seen

    play(tmp_path, scenario)


def test_live_and_replayed_values_are_the_same_copy(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "from datetime import datetime\n"
        "made = {'at': datetime(2026, 1, 1), 'raw': b'\\x01', 'one': 1.0, 'set': {1}}\n"
        "@step.do()\nasync def make():\n    return made\n"
        "got = await make()\n"
        "return repr([got.at, bytes(got['raw']), got.one, got.set, got is made])",
    )

    async def scenario(it: Conversation) -> None:
        begin = began(await it.start(1), "do", "make")
        end = await executed(it, begin)
        live = returned(await it.ask(StepDone(1, begin.call)))
        recorded = values.decode(end.payload)
        await it.tell(History(2, values.encode([["do", "make", 1, "ok", recorded]])))
        assert returned(await it.start(2)) == live
        assert live == "[datetime.datetime(2026, 1, 1, 0, 0), b'\\x01', 1, {1}, False]"

    play(tmp_path, scenario)


def test_a_retry_gets_its_attempt_number_and_the_last_value_counts(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def flaky(ctx):\n"
        "    if ctx.attempt < 3:\n        raise RuntimeError(f'attempt {ctx.attempt}')\n"
        "    return dict(ctx)\n"
        "return await flaky()",
    )

    async def scenario(it: Conversation) -> None:
        begin = began(await it.start(), "do", "flaky")
        for attempt in (1, 2):
            end = await executed(it, begin, attempt)
            assert (end.attempt, end.name, end.message) == (
                attempt,
                "RuntimeError",
                f"attempt {attempt}",
            )
            assert "in flaky" in end.traceback and "emulator/guest" not in end.traceback
        await executed(it, begin, 3)
        assert returned(await it.ask(StepDone(1, begin.call))) == {
            "step": {"name": "flaky", "count": 1},
            "attempt": 3,
            "config": CONFIG,
        }

    play(tmp_path, scenario)


def test_what_a_callback_does_to_its_configuration_is_not_seen_by_the_next_attempt(
    tmp_path: Path,
) -> None:
    workflow(
        tmp_path,
        "@step.do()\ndef poll(ctx):\n    seen = ctx['config']['retries']['limit']\n"
        "    ctx['config']['retries']['limit'] = 1000\n    if ctx['attempt'] == 1:\n"
        "        raise ValueError('not yet')\n    return [seen, ctx['step']]\n"
        "return await poll()",
    )

    async def scenario(it: Conversation) -> None:
        begin = began(await it.start(), "do", "poll")
        assert (await executed(it, begin)).name == "ValueError"
        end = await executed(it, begin, 2)
        assert values.decode(end.payload) == [5, {"name": "poll", "count": 1}]
        await it.ask(StepDone(end.run, end.call))

    play(tmp_path, scenario)


def test_a_late_attempt_does_not_replace_the_value_of_the_one_in_flight(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "gate = asyncio.Event()\n"
        "@step.do()\nasync def slow(ctx):\n"
        "    if ctx.attempt == 1:\n        await gate.wait()\n        return 'late'\n"
        "    gate.set()\n    return 'in time'\n"
        "return await slow()",
    )

    async def scenario(it: Conversation) -> None:
        begin = began(await it.start(), "do", "slow")
        await it.tell(StepRun(1, begin.call, 1, {}), StepRun(1, begin.call, 2, {}))
        ends = [await it.hear(), await it.hear()]
        assert [end.attempt for end in ends if isinstance(end, StepEnd)] == [2, 1]
        assert returned(await it.ask(StepDone(1, begin.call))) == "in time"

    play(tmp_path, scenario)


def test_the_payload_of_step_done_wins_over_the_guests_own(tmp_path: Path) -> None:
    workflow(tmp_path, "return await step.wait_for_event('approval', 'approved')")

    async def scenario(it: Conversation) -> None:
        begin = began(await it.start(), "waitForEvent", "approval")
        assert begin.options == {"type": "approved", "timeout": "24 hours"}
        event = {"payload": {"by": "ada"}, "type": "approved"}
        assert returned(await it.ask(StepDone(1, begin.call, values.encode(event)))) == event

    play(tmp_path, scenario)


def test_sleeps_start_when_they_are_called(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "from datetime import datetime, timezone\n"
        "nap = step.sleep('nap', 1500)\n"
        "until = step.sleep_until('until', datetime(2026, 1, 1, tzinfo=timezone.utc))\n"
        "await until\nawait nap",
    )

    async def scenario(it: Conversation) -> None:
        nap = began(await it.start(), "sleep", "nap")
        until = began(await it.hear(), "sleep", "until")
        assert nap.options == {"duration": 1500}
        assert until.options == {"timestamp": 1767225600000}
        await it.tell(StepDone(1, until.call))
        assert returned(await it.ask(StepDone(1, nap.call))) is None

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("step.sleep('nap', timedelta(1))", r'step.sleep("nap"): duration is datetime.timedelta'),
        (
            "step.do('a', config={'timeout': timedelta(1)})(print)()",
            "config.timeout is datetime.timedelta",
        ),
        ("step.do(5)(print)()", "a step name must be a str, not 5"),
        ("step.do(print)", "step.do is used with parentheses"),
        ("step.do('a', depends=[])", "unexpected keyword argument 'depends'"),
        ("step.sleepUntil('a', 1)", "has no attribute 'sleepUntil'"),
    ],
)
def test_a_step_that_is_called_wrongly_says_how(tmp_path: Path, call: str, problem: str) -> None:
    workflow(tmp_path, f"from datetime import timedelta\nawait {call}")

    async def scenario(it: Conversation) -> None:
        _, message = raised(await it.start())
        assert problem in message

    play(tmp_path, scenario)


def test_parameters_are_the_results_of_steps_of_that_name(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def a():\n    return 2\n"
        "@step.do()\nasync def b(a):\n    return a + 1\n"
        "@step.do(concurrent=True)\nasync def c(b, ctx, *, a):\n    return [a, b, ctx.step.name]\n"
        "return await c()",
    )

    async def scenario(it: Conversation) -> None:
        b_needs_a = began(await it.start(), "do", "a")
        b = began(await done(it, b_needs_a), "do", "b")
        c = began(await done(it, b), "do", "c")
        assert returned(await done(it, c)) == [2, 3, "c"]

    play(tmp_path, scenario)


def test_a_shared_dependency_runs_once_and_direct_calls_run_each_time(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def base():\n    return 1\n"
        "@step.do()\nasync def left(base):\n    return base\n"
        "@step.do()\nasync def right(base):\n    return base\n"
        "await asyncio.gather(left(), right())\n"
        "await base()\nreturn 'ok'",
    )

    async def scenario(it: Conversation) -> None:
        base = began(await it.start(), "do", "base")
        left = began(await done(it, base), "do", "left")
        right = began(await it.hear(), "do", "right")
        await executed(it, left)
        await executed(it, right)
        again = began(
            await it.ask(StepDone(1, left.call), StepDone(1, right.call)), "do", "base", 2
        )
        assert returned(await done(it, again)) == "ok"

    play(tmp_path, scenario)


def test_concurrent_dependencies_start_together(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def a():\n    return 2\n"
        "@step.do()\nasync def b():\n    return 3\n"
        "@step.do(concurrent=True)\nasync def c(a, b):\n    return a * b\n"
        "return await c()",
    )

    async def scenario(it: Conversation) -> None:
        a = began(await it.start(), "do", "a")
        b = began(await it.hear(), "do", "b")
        assert a.line == "src/entry.py:7"  # no caller on the stack: where it is declared
        await executed(it, b)
        await it.tell(StepDone(1, b.call))
        c = began(await done(it, a), "do", "c")
        assert returned(await done(it, c)) == 6

    play(tmp_path, scenario)


def test_a_failed_dependency_raises_in_its_dependent_which_does_not_run(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def a():\n    pass\n@step.do()\nasync def b(a):\n    pass\nawait b()",
    )

    async def scenario(it: Conversation) -> None:
        a = began(await it.start(), "do", "a")
        end = await it.ask(StepFailed(1, a.call, "Error", "no"))
        assert raised(end) == ("Error", "no")

    play(tmp_path, scenario)


def test_an_unknown_parameter_is_refused_when_the_step_is_called(tmp_path: Path) -> None:
    workflow(tmp_path, "@step.do('step-1')\nasync def a(other=1):\n    pass\nawait a()")

    async def scenario(it: Conversation) -> None:
        error = ("TypeError", "Received unexpected parameter other")
        assert raised(await it.start()) == error

    play(tmp_path, scenario)


def test_legacy_steps_take_the_results_of_depends_in_order(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do('one')\nasync def a():\n    return 1\n"
        "@step.do('two', depends=[a], concurrent=True)\nasync def b(result=None, ctx=None):\n"
        "    return result + 1\n"
        "return await b()",
    )

    async def scenario(it: Conversation) -> None:
        one = began(await it.start(), "do", "one")
        two = began(await done(it, one), "do", "two")
        assert returned(await done(it, two)) == 2

    play(tmp_path, scenario, date=LEGACY)


@pytest.mark.parametrize(
    ("depends", "problem"),
    [
        ("", "Step has 1 non-ctx parameter(s) but no 'depends' list provided"),
        (
            ", depends=[a, a]",
            "Step declares 1 non-ctx parameter(s) but 'depends' has 2 item(s)",
        ),
        (
            ", depends=[len]",
            "'depends' entry for parameter 'x' is not a function decorated with step.do",
        ),
    ],
)
def test_legacy_steps_with_wrong_dependencies_are_refused(
    tmp_path: Path, depends: str, problem: str
) -> None:
    workflow(
        tmp_path,
        "@step.do('one')\nasync def a():\n    pass\n"
        f"@step.do('two'{depends})\nasync def b(x):\n    pass\nawait b()",
    )

    async def scenario(it: Conversation) -> None:
        assert raised(await it.start()) == ("TypeError", problem)

    play(tmp_path, scenario, date=LEGACY)


def test_a_step_called_in_a_callback_names_its_parent(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def inner():\n    return 1\n"
        "@step.do()\nasync def outer():\n    return await inner()\n"
        "return await outer()",
    )

    async def scenario(it: Conversation) -> None:
        outer = began(await it.start(), "do", "outer")
        inner = began(await it.ask(StepRun(1, outer.call, 1, {})), "do", "inner")
        assert (outer.parent, inner.parent) == (0, outer.call)
        end = await done(it, inner)
        assert isinstance(end, StepEnd) and end.call == outer.call
        assert returned(await it.ask(StepDone(1, outer.call))) == 1

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("result", "name", "message", "fatal"),
    [
        ("(1, 2)", "TypeError", "<class 'tuple'> cannot be sent over RPC.", False),
        ("[bytearray(1)]", "TypeError", "<class 'bytearray'> cannot be sent over RPC.", False),
        (
            "{'a': asyncio.sleep(0)}",
            "TypeError",
            "Awaitable <class 'coroutine'> cannot be sent over RPC.",
            False,
        ),
        (
            "{'file': Response('hello').body}",
            "DataCloneError",
            "A ReadableStream can only be the whole result of a step; here, read it first. "
            "(at file)",
            True,
        ),
        (
            "{'users': [1, object()]}",
            "DataCloneError",
            'Could not serialize object of type "object". '
            "This type does not support serialization. (at users[1])",
            True,
        ),
    ],
)
def test_a_result_that_cannot_be_kept_fails_the_attempt(
    tmp_path: Path, result: str, name: str, message: str, fatal: bool
) -> None:
    workflow(tmp_path, f"@step.do()\nasync def make():\n    return {result}\nawait make()")

    async def scenario(it: Conversation) -> None:
        begin = began(await it.start(), "do", "make")
        end = await executed(it, begin)
        assert (end.name, end.message, end.fatal) == (name, message, fatal)

    play(tmp_path, scenario)


def test_a_result_that_fits_in_no_frame_fails_the_attempt_and_not_the_guest(
    tmp_path: Path,
) -> None:
    workflow(
        tmp_path, "@step.do()\nasync def big():\n    return 'x' * (65 * 1024 * 1024)\nawait big()"
    )

    async def scenario(it: Conversation) -> None:
        end = await executed(it, began(await it.start(), "do", "big"))
        assert (end.name, end.message) == (
            "WorkflowInternalError",
            "Step big-1 output is too large. Maximum allowed size is 1MiB.",
        )

    play(tmp_path, scenario)


def test_an_output_that_fits_in_no_frame_fails_the_run_and_not_the_guest(tmp_path: Path) -> None:
    workflow(tmp_path, "return 'x' * (65 * 1024 * 1024)")

    async def scenario(it: Conversation) -> None:
        name, message = raised(await it.start())
        assert name == "RangeError"
        assert "over the limit of 67,108,864 bytes" in message

    play(tmp_path, scenario)


def test_non_retryable_errors_travel_by_their_exact_name(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def stop():\n    raise NonRetryableError('enough')\n"
        "@step.do()\nasync def derived():\n    raise Derived('enough')\n"
        "await asyncio.gather(stop(), derived())",
        "class Derived(NonRetryableError):\n    pass\n",
    )

    async def scenario(it: Conversation) -> None:
        stop, derived = await it.start(), await it.hear()
        assert (await executed(it, stop)).name == "NonRetryableError"
        assert (await executed(it, derived)).name == "Derived"

    play(tmp_path, scenario)


def test_run_raises_with_the_users_traceback(tmp_path: Path) -> None:
    workflow(tmp_path, "raise LookupError('nothing there')")

    async def scenario(it: Conversation) -> None:
        end = await it.start()
        assert raised(end) == ("LookupError", "nothing there")
        assert isinstance(end, RunEnd)
        assert end.traceback.count("  File ") == 1 and "src/entry.py" in end.traceback

    play(tmp_path, scenario)


def test_the_event_is_a_js_dict_with_a_naive_timestamp(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "return [event.payload.n, event['payload']['n'], event.timestamp.isoformat(),"
        " event.instanceId, event.workflowName]",
    )
    event = {**EVENT, "timestamp": datetime(2026, 1, 2, 3, tzinfo=UTC)}

    async def scenario(it: Conversation) -> None:
        assert returned(await it.start(event=event)) == [
            1,
            1,
            "2026-01-02T03:00:00",
            "order-17",
            "order",
        ]

    play(tmp_path, scenario)


def test_a_sync_run_is_tolerated(tmp_path: Path) -> None:
    project = workflow(tmp_path, "return event.payload.n")
    entry = project / "src" / "entry.py"
    entry.write_text(entry.read_text().replace("async def run", "def run"))

    async def scenario(it: Conversation) -> None:
        assert returned(await it.start()) == 1

    play(tmp_path, scenario)


def test_a_class_that_is_not_there_fails_the_run(tmp_path: Path) -> None:
    project = workflow(tmp_path, "pass")
    entry = project / "src" / "entry.py"
    entry.write_text(entry.read_text().replace("class Order(", "class Other("))

    async def scenario(it: Conversation) -> None:
        _, message = raised(await it.start())
        assert "There is no 'Order' class defined" in message

    play(tmp_path, scenario)


DROPPED = """
async def branch(name):
    try:
        await step.do(name)(lambda: None)()
    except (Exception, asyncio.CancelledError) as error:
        trace.append(f'{name} saw {error!r}')
    finally:
        trace.append(f'{name} closed')
        try:
            await self.env.AI.run('x', {})
        except Exception as error:
            trace.append(f'{name} saw {error!r}')
try:
    await asyncio.gather(branch('a'), branch('b'))
except Exception as error:
    trace.append(f'run saw {error!r}')
finally:
    trace.append('run closed')
"""


def test_a_dropped_run_is_closed_and_says_nothing_more(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "if event.payload.n == 2:\n    return trace\n" + DROPPED,
        "trace = []",
    )

    async def scenario(it: Conversation) -> None:
        a = began(await it.start(1), "do", "a")
        b = began(await it.hear(), "do", "b")
        await it.tell(RunAbort(1), StepRun(1, a.call, 1, {}), StepDone(1, b.call))
        await it.nothing_left()
        trace = returned(await it.start(2, {**EVENT, "payload": {"n": 2}}))
        assert sorted(trace) == ["a closed", "b closed", "run closed"]

    play(tmp_path, scenario, bindings={"AI": {"kind": "ai"}})


def test_a_task_of_what_is_no_coroutine_is_refused_in_asyncios_words(tmp_path: Path) -> None:
    workflow(tmp_path, "asyncio.create_task(step.sleep('nap', '1 hour'))")

    async def scenario(it: Conversation) -> None:
        began(await it.start(), "sleep", "nap")
        end = await it.hear()
        assert isinstance(end, RunEnd) and end.name == "TypeError"
        assert end.message.startswith("a coroutine was expected, got <Future")

    play(tmp_path, scenario)


def test_what_run_leaves_waiting_goes_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workflow(
        tmp_path,
        "if event.payload.n == 2:\n    return gc.collect()\n"
        "asyncio.create_task(step.wait_for_event('approval', 'approved'))\n"
        "await asyncio.sleep(0)",
        "import gc\ngc.disable()",  # so that only this run collects what the other left
    )

    async def scenario(it: Conversation) -> None:
        began(await it.start(1), "waitForEvent", "approval")
        assert returned(await it.hear()) is None
        assert returned(await it.start(2, {**EVENT, "payload": {"n": 2}})) > 0

    play(tmp_path, scenario)
    assert "destroyed" not in capsys.readouterr().out


def test_an_attempt_in_a_dropped_run_is_closed_too(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "if event.payload.n == 2:\n    return trace\n"
        "@step.do()\nasync def charge():\n"
        "    try:\n        await asyncio.sleep(3600)\n"
        "    except Exception:\n        trace.append('seen')\n"
        "    finally:\n        trace.append('closed')\n"
        "await charge()",
        "trace = []",
    )

    async def scenario(it: Conversation) -> None:
        charge = began(await it.start(1), "do", "charge")
        await it.tell(StepRun(1, charge.call, 1, {}))
        await it.nothing_left()
        await it.tell(RunAbort(1))
        await it.nothing_left()
        assert returned(await it.start(2, {**EVENT, "payload": {"n": 2}})) == ["closed"]

    play(tmp_path, scenario)


def test_a_retry_loop_of_the_users_does_not_keep_a_dropped_run_alive(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "while True:\n    try:\n        await self.env.AI.run('x', {})\n"
        "    except BaseException:\n        await asyncio.sleep(0)",
    )

    async def scenario(it: Conversation) -> None:
        assert isinstance(await it.start(), BindingCall)
        await it.tell(RunAbort(1))
        await it.nothing_left()

    play(tmp_path, scenario, bindings={"AI": {"kind": "ai"}})


def test_an_abort_of_a_run_that_is_not_there_is_ignored(tmp_path: Path) -> None:
    workflow(tmp_path, "return 1")

    async def scenario(it: Conversation) -> None:
        await it.tell(RunAbort(5), StepDone(5, 1), StepFailed(5, 1, "Error", ""))
        assert returned(await it.start()) == 1
        await it.tell(StepRun(1, 1, 1, {}))

    play(tmp_path, scenario)


def test_binding_calls_carry_the_number_of_the_run_they_are_made_in(tmp_path: Path) -> None:
    workflow(
        tmp_path,
        "@step.do()\nasync def ask():\n    return await self.env.AI.run('model', {'q': 1})\n"
        "try:\n    await self.env.AI.run('other', None)\nexcept Exception as error:\n"
        "    seen = f'{type(error).__name__} {error.name} {error.message}'\n"
        "return [await ask(), seen]",
    )

    async def scenario(it: Conversation) -> None:
        call = await it.start(7)
        assert isinstance(call, BindingCall)
        assert (call.binding, call.method, call.run) == ("AI", "run", 7)
        assert values.decode(call.payload) == ["other", {}]
        ask = began(await it.ask(BindingFailed(call.id, "AiError", "3030: no")), "do", "ask")
        inner = await it.ask(StepRun(7, ask.call, 1, {}))
        assert isinstance(inner, BindingCall)
        assert inner.run == 7
        end = await it.ask(BindingResult(inner.id, payload=values.encode({"a": 1})))
        assert isinstance(end, StepEnd)
        assert returned(await it.ask(StepDone(7, ask.call))) == [
            {"a": 1},
            "JsException AiError 3030: no",
        ]

    play(tmp_path, scenario, bindings={"AI": {"kind": "ai"}})


@pytest.mark.parametrize("ending", ["sleep", "return"])
def test_a_run_that_is_over_leaves_nothing_to_the_collector(tmp_path: Path, ending: str) -> None:
    """What is left of it is counted by the run after it, with the collector switched off."""
    body = """
    refs[:] = [ref for ref in refs if ref() is not None]
    if event["payload"]["ending"] == "count":
        return len(refs)
    gc.disable()
    refs.extend([weakref.ref(step), weakref.ref(step._run)])
    @step.do("first")
    async def first():
        return 1
    @step.do("second")
    async def second(first):
        return await first()
    await first()
    if event["payload"]["ending"] == "sleep":
        await step.sleep("nap", "1 hour")
    """

    async def scenario(it: Conversation) -> None:
        first = began(await it.start(1, {"payload": {"ending": ending}}), "do", "first")
        await executed(it, first)
        await it.ask(StepDone(1, first.call, b""))
        await it.tell(RunAbort(1))
        await it.nothing_left()

        assert returned(await it.start(2, {"payload": {"ending": "count"}})) == 0

    workflow(tmp_path, textwrap.dedent(body), "import gc, weakref\nrefs = []")
    play(tmp_path, scenario)
