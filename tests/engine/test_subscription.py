"""The event log of an instance: as recorded, as it happens, and where the one becomes the other."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.instance_entries import RestartPoint
from emulator.engine.views.log import LOCAL_TYPES, TYPES, LogEvent
from emulator.engine.views.subscription import Subscription, Wanted, parse_options
from emulator.errors import StateError, WorkerError
from emulator.protocol import values
from tests.engine.scripted import Context, Step, StepError, Undo, Workflow
from tests.engine.world import CLASS, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]
ONE_STEP = [
    *("workflow_queued", "workflow_started", "step_started", "attempt_started"),
    *("attempt_completed", "step_completed", "workflow_completed"),
]


def subscribe(world: World, wanted: Wanted | None = None, instance: str = "a") -> Subscription:
    key = world.journal.find(NAME, instance)
    assert key is not None
    return Subscription(world.journal, key, wanted or Wanted())


def told(subscription: Subscription) -> list[LogEvent]:
    """Everything that has happened so far and was not told before."""
    found = []
    while (event := subscription.take()) is not None:
        found.append(event)
    return found


def types(events: list[LogEvent]) -> list[str]:
    return [event.type for event in events]


async def one_step(event: Event, step: Step) -> str:
    return str(await step.do("charge", lambda ctx: "paid", line="src/entry.py:7"))


async def sleeper(event: Event, step: Step) -> str:
    await step.do("before", lambda ctx: 1)
    await step.sleep("rest", "1 hour")
    return "rested"


def test_a_step_that_succeeds_is_told_in_the_order_of_production(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()

        assert types(told(subscribe(world))) == ONE_STEP

    play(tmp_path, one_step, story)


def test_what_happens_while_one_reads_is_told_as_it_happens(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.control.create(NAME, "a", None)
        subscription = subscribe(world)
        read = asyncio.ensure_future(everything(subscription))
        await world.settle()
        assert not read.done()
        await world.advance(2 * HOUR)

        assert types(await read) == [
            *ONE_STEP[:-1],
            *("sleep_started", "workflow_waiting", "sleep_completed", "workflow_running"),
            "workflow_completed",
        ]

    play(tmp_path, sleeper, story)


async def everything(subscription: Subscription) -> list[LogEvent]:
    return [event async for event in subscription]


@pytest.mark.parametrize("pause_after", range(0, 40, 3))
def test_nothing_is_missed_or_told_twice_wherever_reading_begins(
    tmp_path: Path, pause_after: int
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        for number in range(5):
            await step.do(f"step {number}", lambda ctx: None)

    async def story(world: World) -> None:
        await world.control.create(NAME, "a", None)
        for _ in range(pause_after):
            await asyncio.sleep(0)
        read = asyncio.ensure_future(everything(subscribe(world)))
        await world.settle()

        ids = [event.id for event in await read]
        key = world.journal.find(NAME, "a")
        assert key is not None
        assert ids == [number for number, _ in world.journal.numbered(key)]

    play(tmp_path, workflow, story)


def test_a_cursor_begins_with_the_first_event_past_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        before = told(subscribe(world))

        after = told(subscribe(world, Wanted(cursor=before[2].id)))

        assert after == before[3:]

    play(tmp_path, one_step, story)


def test_a_cursor_past_the_end_of_a_finished_instance_ends_at_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        last = told(subscribe(world))[-1]

        assert await subscribe(world, Wanted(cursor=last.id)).next() is None

    play(tmp_path, one_step, story)


def test_a_filter_shows_only_its_types_and_the_end_ends_it_even_if_hidden(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        wanted = Wanted(filter=frozenset({"step_completed", "attempt_started"}))
        subscription = subscribe(world, wanted)

        assert types(await everything(subscription)) == ["attempt_started", "step_completed"]
        assert await subscription.next() is None

    play(tmp_path, one_step, story)


def test_params_output_and_config_are_told_with_their_events(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create(params={"amount": 7})
        events = {event.type: event.as_json("a", local=False) for event in told(subscribe(world))}

        started = events["workflow_started"]
        assert started["params"] == {"amount": 7}
        assert started["instanceId"] == "a" and started["timestamp"] == world.clock.now_ms()
        assert events["step_completed"]["output"] == "paid"
        assert events["step_completed"]["stepName"] == "charge-1"
        assert events["step_started"]["config"]["retries"]["limit"] == 5
        assert events["attempt_started"]["attempt"] == 1
        assert events["workflow_completed"]["output"] == "paid"
        assert all("local" not in event for event in events.values())

    play(tmp_path, one_step, story)


def test_the_params_are_told_too_when_reading_begins_past_the_first_event(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create(params={"amount": 7})
        queued = told(subscribe(world))[0]

        started = told(subscribe(world, Wanted(cursor=queued.id)))[0]

        assert started.as_json("a")["params"] == {"amount": 7}

    play(tmp_path, one_step, story)


def test_a_sensitive_output_is_redacted_wherever_reading_begins(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.do("secret", lambda ctx: "hidden", {"sensitive": "output"})

    async def story(world: World) -> None:
        await world.create()
        events = told(subscribe(world))
        done = next(event for event in events if event.type == "step_completed")

        again = told(subscribe(world, Wanted(cursor=done.id - 1)))[0]

        assert done.as_json("a")["output"] == again.as_json("a")["output"] == "[REDACTED]"
        assert b"hidden" not in done.encoded("a")

    play(tmp_path, workflow, story)


def test_line_generation_and_duration_are_told_when_asked_for(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        async def slow(ctx: Context) -> None:
            if ctx.attempt == 1:
                raise StepError("Error", "no")

        config = {"retries": {"limit": 1, "delay": "30 seconds", "backoff": "constant"}}
        await step.do("charge", slow, config, line="src/entry.py:12")

    async def story(world: World) -> None:
        await world.create()
        world.load()
        await world.advance(MINUTE)
        events = [
            event.as_json("a", local=True) for event in told(subscribe(world, Wanted(local=True)))
        ]

        local = [(event["type"], event.get("local")) for event in events if "stepName" in event]
        code = {"line": "src/entry.py:12", "generation": 1}
        new = code | {"generation": 2}
        assert local == [
            ("step_started", code),
            ("attempt_started", code),
            ("attempt_errored", code | {"durationMs": 0}),
            ("attempt_started", new),
            ("attempt_completed", new | {"durationMs": 0}),
            ("step_completed", new | {"durationMs": 30 * SECOND}),
        ]
        changed = [event for event in events if event["type"] == "local_code_changed"]
        assert [event["local"] for event in changed] == [{"generation": 2}]

    play(tmp_path, workflow, story)


def test_retries_waits_and_time_outs_have_the_fields_of_production(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        async def failing(ctx: Context) -> None:
            raise StepError("TypeError", "no luck")

        try:
            config = {"retries": {"limit": 1, "delay": 1000, "backoff": "constant"}}
            await step.do("try", failing, config)
        except StepError:
            await step.wait_for_event("answer", "answered", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        await world.advance(2 * HOUR)
        events = [event.as_json("a") for event in told(subscribe(world))]

        error = {"name": "TypeError", "message": "no luck"}
        first, second = (event for event in events if event["type"] == "attempt_errored")
        assert first["error"] == error and first["retryDelayMs"] == 1000
        assert second["error"] == error and "retryDelayMs" not in second
        (wait,) = (event for event in events if event["type"] == "wait_started")
        assert wait["eventType"] == "answered" and wait["stepName"] == "answer-1"
        assert "wait_timed_out" in [event["type"] for event in events]
        assert events[-1]["type"] == "workflow_errored"
        assert events[-1]["error"]["name"] == "WorkflowTimeoutError"

    play(tmp_path, workflow, story)


def test_an_attempt_that_a_reload_cut_off_is_told_as_an_error(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        async def hang(ctx: Context) -> None:
            if ctx.attempt == 1:
                await asyncio.Event().wait()

        await step.do("work", hang)

    async def story(world: World) -> None:
        await world.create()
        world.load()
        await world.advance(MINUTE)
        events = [event.as_json("a") for event in told(subscribe(world))]

        (cut,) = (event for event in events if event["type"] == "attempt_errored")
        assert "cut off by a reload" in cut["error"]["message"] and cut["retryDelayMs"] == 0

    play(tmp_path, workflow, story)


def test_pause_and_resume_are_told(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        await world.resume()
        await world.terminate()

        assert types(told(subscribe(world)))[-6:] == [
            *("workflow_waiting", "workflow_paused", "workflow_queued", "workflow_running"),
            *("workflow_waiting", "workflow_terminated"),
        ]

    play(tmp_path, sleeper, story)


def test_a_pause_called_off_before_it_took_effect_is_running_again(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: gate.wait())

    async def story(world: World) -> None:
        await world.create()
        await world.pause()
        await world.resume()

        assert types(told(subscribe(world)))[-2:] == [
            "workflow_waiting_for_pause",
            "workflow_running",
        ]

    play(tmp_path, workflow, story)


def test_a_restart_is_told_to_who_has_read_everything_before_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create(params="again")
        subscription = subscribe(world)
        before = told(subscription)
        await world.restart()
        after = told(subscription)

        assert types(after)[:3] == ["workflow_queued", "workflow_started", "step_started"]
        assert after[1].as_json("a")["params"] == "again"
        assert min(event.id for event in after) > max(event.id for event in before)

    play(tmp_path, sleeper, story)


def test_a_restart_from_a_step_goes_on_with_higher_ids(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        subscription = subscribe(world)
        before = told(subscription)
        await world.restart(start=RestartPoint("rest", type="sleep"))
        after = told(subscription)

        assert types(after) == [
            *("workflow_queued", "workflow_running", "sleep_started", "workflow_waiting")
        ]
        assert after[0].id > before[-1].id

    play(tmp_path, sleeper, story)


def test_deleting_the_instance_ends_its_subscriptions(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        read = asyncio.ensure_future(everything(subscribe(world)))
        await world.settle()
        await world.delete()

        assert types(await read)[-1] == "workflow_waiting"

    play(tmp_path, sleeper, story)


def test_closing_the_journal_ends_its_subscriptions(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        read = asyncio.ensure_future(everything(subscribe(world)))
        await world.settle()
        world.engine.stop()
        world.journal.close()

        assert types(await read)[-1] == "workflow_waiting"

    play(tmp_path, sleeper, story)


def test_closing_a_subscription_wakes_its_reader(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        subscription = subscribe(world)
        told(subscription)
        waiting = asyncio.ensure_future(subscription.next())
        await world.settle()
        subscription.close()

        assert await waiting is None
        assert len(world.journal.watchers) == 0

    play(tmp_path, sleeper, story)


def test_two_callers_of_next_get_one_event_each(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        subscription = subscribe(world)

        first, second = await asyncio.gather(subscription.next(), subscription.next())

        assert first is not None and first.type == "workflow_queued"
        assert second is not None and second.type == "workflow_started"

    play(tmp_path, sleeper, story)


def test_a_subscription_that_nobody_reads_holds_a_page_at_the_most(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        for number in range(300):
            await step.do(f"step {number}", lambda ctx: "x" * 1000)

    async def story(world: World) -> None:
        await world.control.create(NAME, "a", None)
        subscription = subscribe(world)
        assert await subscription.next() is not None
        await world.settle()
        await world.settle()

        assert subscription.kept() <= 4 * 64 + 1
        assert len(told(subscription)) == 300 * 4 + 2

    play(tmp_path, workflow, story)


def test_a_journal_that_cannot_be_read_ends_the_subscription_with_its_error(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create()
        subscription = subscribe(world)
        with world.disk.unreadable(), pytest.raises(StateError, match="not read"):
            await subscription.next()

        assert await subscription.next() is None

    play(tmp_path, sleeper, story)


def test_values_are_told_to_workers_as_they_were_recorded(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> bytes:
        return bytes(await step.do("read", lambda ctx: b"\x00\x01"))

    async def story(world: World) -> None:
        await world.create()
        events = [values.decode(event.encoded("a")) for event in told(subscribe(world))]

        assert events[-1]["output"] == b"\x00\x01"
        assert events[-1]["eventId"] > 0 and events[-1]["instanceId"] == "a"

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    "options",
    [
        [],
        "all",
        1,
        {"cursor": -1},
        {"cursor": 1.5},
        {"cursor": "1"},
        {"cursor": True},
        {"cursor": None},
        {"cursor": 2**53},
        {"cursor": float("nan")},
        {"filter": None},
        {"filter": "step_started"},
        {"filter": ["no_such_event"]},
        {"filter": [1]},
        {"filter": ["local_event_received"]},
        {"since": 1},
    ],
    ids=repr,
)
def test_other_options_are_refused_in_the_words_of_production(options: Any) -> None:
    with pytest.raises(WorkerError, match="^Invalid Workflow subscription options$"):
        parse_options(options)


def test_options_may_be_left_out() -> None:
    assert parse_options(None) == parse_options({}) == Wanted()
    assert parse_options({"cursor": 3.0, "filter": []}) == Wanted(3, frozenset())


def test_a_rollback_is_told_with_its_steps_and_attempts(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        def undo(undo: Undo) -> str:
            if undo.step == "a-1":
                raise StepError("Error", "cannot undo")
            return "undone"

        config = {"retries": {"limit": 0, "delay": 0}}
        for name in "ab":
            await step.do(name, lambda ctx: 1, rollback=undo, rollback_config=config)
        raise StepError("Error", "too late")

    async def story(world: World) -> None:
        await world.create()
        events = [event.as_json("a") for event in told(subscribe(world))]
        rollback = events[
            next(i for i, e in enumerate(events) if e["type"] == "rollback_started") :
        ]

        assert [(event["type"], event.get("stepName")) for event in rollback] == [
            ("rollback_started", None),
            ("rollback_step_started", "b-1"),
            ("rollback_attempt_started", "b-1"),
            ("rollback_attempt_completed", "b-1"),
            ("rollback_step_completed", "b-1"),
            ("rollback_step_started", "a-1"),
            ("rollback_attempt_started", "a-1"),
            ("rollback_attempt_errored", "a-1"),
            ("rollback_step_errored", "a-1"),
            ("rollback_errored", None),
            ("workflow_errored", None),
        ]
        assert rollback[1]["config"]["retries"]["limit"] == 0
        error = {"name": "Error", "message": "cannot undo"}
        assert rollback[7]["error"] == rollback[8]["error"] == error
        assert "output" not in rollback[4] and rollback[7]["attempt"] == 1

    play(tmp_path, workflow, story)


def test_a_handler_that_a_reload_cut_off_is_told_as_an_error_of_the_rollback(
    tmp_path: Path,
) -> None:
    async def workflow(event: Event, step: Step) -> None:
        async def undo(undo: Undo) -> None:
            if len(world_guests) == 1:
                await asyncio.Event().wait()

        await step.do("a", lambda ctx: 1, rollback=undo)
        raise StepError("Error", "too late")

    world_guests: list[Any] = [1]

    async def story(world: World) -> None:
        await world.create()
        world_guests.append(2)
        world.load()
        await world.advance(MINUTE)
        events = [event.as_json("a") for event in told(subscribe(world))]

        (cut,) = (event for event in events if event["type"] == "rollback_attempt_errored")
        assert "cut off by a reload" in cut["error"]["message"]

    play(tmp_path, workflow, story)


def test_every_kind_of_entry_is_told_or_known_to_be_ours() -> None:
    assert set(TYPES) | set(LOCAL_TYPES) == set(EntryKind)


def test_an_instance_whose_code_does_not_fit_is_paused_and_says_why_when_asked(
    tmp_path: Path,
) -> None:
    def renamed(name: str) -> Workflow:
        async def workflow(event: Event, step: Step) -> None:
            await step.do(name, lambda ctx: 1)
            await step.sleep("rest", "1 hour")

        return workflow

    async def story(world: World) -> None:
        await world.create()
        world.load({CLASS: renamed("after")})
        await world.advance(MINUTE)

        held = told(subscribe(world))[-1]
        assert held.type == "workflow_paused"
        assert "divergence" not in held.as_json("a")
        assert held.as_json("a", local=True)["local"]["divergence"]["missing"]

        await world.control.resume_held(NAME, "a", {"before": "after"})
        await world.advance(2 * HOUR)
        events = [
            event.as_json("a", local=True) for event in told(subscribe(world, Wanted(local=True)))
        ]
        (event,) = (event for event in events if event["type"] == "local_step_renamed")
        assert (event["stepName"], event["oldName"]) == ("after-1", "before-1")
        assert events[-1]["type"] == "workflow_completed"

    play(tmp_path, renamed("before"), story)


@pytest.mark.parametrize("seed", range(8))
def test_a_reader_who_resumes_by_cursor_hears_everything_once_whatever_happens(
    tmp_path: Path, seed: int
) -> None:
    """Random operations; the reader reads now and then, and comes back after every end."""
    chance = random.Random(seed)

    async def workflow(event: Event, step: Step) -> None:
        for _ in range(3):
            await step.do("work", lambda ctx: None)
            await step.sleep("rest", "10 minutes")
            await step.wait_for_event("answer", "answered", "1 hour")

    async def story(world: World) -> None:
        await world.create()
        heard: list[LogEvent] = []
        subscription = subscribe(world)
        for _ in range(40):
            await anything(world, chance)
            if chance.random() < 0.5:
                heard += told(subscription)
            if subscription.ended:
                subscription = subscribe(world, Wanted(subscription.last_id))
        heard += told(subscription) + told(subscribe(world, Wanted(subscription.last_id)))

        ids = [event.id for event in heard]
        assert ids == sorted(set(ids))
        assert [event for event in told(subscribe(world)) if event.id not in ids] == []

    play(tmp_path, workflow, story)


async def anything(world: World, chance: random.Random) -> None:
    """Do something to instance "a", or let something happen to it."""
    match chance.choice(["time", "time", "send", "pause", "restart", "step", "reload", "crash"]):
        case "time":
            await world.advance(chance.choice([MINUTE, HOUR, 2 * HOUR]))
        case "send":
            if world.status() not in ("complete", "errored", "terminated"):
                await world.send("answered", chance.random())
        case "pause":
            await world.pause()
            await world.resume()
        case "restart":
            await world.restart()
        case "step":
            await world.restart(start=RestartPoint("work"))
        case "reload":
            world.load()
            await world.settle()
        case "crash":
            world.lose_guest()
            world.load()
            await world.settle()
