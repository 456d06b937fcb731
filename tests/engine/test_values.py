"""Values on their way through steps, history, events, params and outputs; their sizes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.engine.guests.run_messages import history
from emulator.engine.model.entries import members_of
from emulator.engine.model.entry_kinds import EntryKind
from emulator.engine.model.step import Step as StepRecord
from emulator.engine.model.step import StepState
from emulator.errors import WorkerError
from emulator.protocol import values
from tests.engine.scripted import Context, Step
from tests.engine.world import DAY, HOUR, NAME, World, play

Event = dict[str, Any]
MIB = 1_048_576


def knot() -> dict[str, Any]:
    """A value that has itself, a date and a container it holds twice inside it."""
    shared = [1, 2]
    value: dict[str, Any] = {"when": datetime(2026, 5, 4, tzinfo=UTC), "twice": [shared, shared]}
    value["self"] = value
    return value


def is_knot(value: Any) -> bool:
    return (
        value["self"] is value
        and value["twice"][0] is value["twice"][1]
        and value["twice"][0] == [1, 2]
        and value["when"] == datetime(2026, 5, 4, tzinfo=UTC)
    )


def test_cycles_and_dates_come_back_from_history(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> bool:
        plain = await step.do("plain", lambda ctx: {"a": [{}]})
        first = await step.do("first", lambda ctx: knot())
        second = await step.do("second", lambda ctx: knot())
        await step.sleep("rest", "1 hour")
        return plain == {"a": [{}]} and is_knot(first) and is_knot(second)

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.output() is True

    play(tmp_path, workflow, story)


def test_cycles_and_dates_come_through_params(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> bool:
        return is_knot(event["payload"])

    async def story(world: World) -> None:
        await world.create(params=knot())

        assert world.output() is True

    play(tmp_path, workflow, story)


def test_cycles_and_dates_come_through_events_and_their_replay(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> bool:
        received = await step.wait_for_event("answer", "answer")
        await step.sleep("rest", "1 hour")
        return is_knot(received["payload"]) and isinstance(received["timestamp"], datetime)

    async def story(world: World) -> None:
        await world.create()
        await world.send("answer", knot())
        await world.advance(HOUR)

        assert world.output() is True

    play(tmp_path, workflow, story)


def test_cycles_and_dates_come_out_as_output(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        return knot()

    async def story(world: World) -> None:
        await world.create()

        assert is_knot(world.output())

    play(tmp_path, workflow, story)


def test_kinds_only_javascript_has_survive_beside_a_cycle() -> None:
    """What the host cannot represent must not be decoded on its way through history."""
    odd = b'{"$set":[{"a":{"$undefined":1}},{"$buffer":"AAA="}]}'
    cycle = b'[{"$map":[[{"k":1},[]]]},{"$object":{"$ref":1}},{"$ref":0},{"$ref":2}]'
    steps = [
        StepRecord("do:1:odd", StepState.SUCCEEDED, value=odd),
        StepRecord("do:1:cycle", StepState.SUCCEEDED, value=cycle),
    ]

    (payload,) = history(steps)

    # 0 the list, 1 its first item, 2 the set, 3 the object in it, 4 the second item, 5 the cycle
    moved = b'[{"$map":[[{"k":1},[]]]},{"$object":{"$ref":1}},{"$ref":5},{"$ref":7}]'
    assert payload == (
        b'[["do", "odd", 1, "ok",' + odd + b'],["do", "cycle", 1, "ok",' + moved + b"]]"
    )


@st.composite
def tangled(draw: st.DrawFn) -> Any:
    """A value with containers that occur in it several times."""
    scalars = st.none() | st.integers(-9, 9) | st.text(max_size=3) | st.just({"$ref": 1})
    made: list[Any] = []
    for _ in range(draw(st.integers(1, 6))):
        items = draw(st.lists(scalars | st.sampled_from(made or [None]), max_size=4))
        made.append({f"k{i}": v for i, v in enumerate(items)} if draw(st.booleans()) else items)
    return made[-1]


@given(st.lists(tangled(), max_size=5))
def test_history_gives_every_value_back_with_its_shared_containers(found: list[Any]) -> None:
    steps = [
        StepRecord(f"do:1:{index}", StepState.SUCCEEDED, value=values.encode(value))
        for index, value in enumerate(found)
    ]

    decoded = [item[4] for payload in history(steps) for item in values.decode(payload)]

    assert [values.encode(value) for value in decoded] == [values.encode(v) for v in found]


def test_a_large_history_is_sent_in_pieces_of_about_a_mebibyte() -> None:
    value = values.encode("x" * 400_000)
    steps = [StepRecord(f"do:{n}:big", StepState.SUCCEEDED, value=value) for n in range(1, 6)]

    chunks = list(history(steps))

    assert [len(values.decode(chunk)) for chunk in chunks] == [2, 2, 1]
    assert all(len(chunk) <= MIB for chunk in chunks)


def test_a_result_over_a_mebibyte_is_a_failed_attempt_and_tried_again(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> int:
        def callback(ctx: Context) -> str:
            return "x" * (MIB if ctx.attempt == 1 else MIB - 2)  # two quotes make up the rest

        return len(await step.do("export", callback))

    async def story(world: World) -> None:
        await world.create()
        failure = next(e for e in world.entries() if e.kind is EntryKind.ATTEMPT_FAILURE)
        await world.advance(DAY)

        assert members_of(failure)["error"] == {
            "name": "WorkflowInternalError",
            "message": "Step export-1 output is too large. Maximum allowed size is 1MiB.",
        }
        assert world.output() == MIB - 2

    play(tmp_path, workflow, story)


def test_an_output_over_a_mebibyte_ends_the_instance_with_an_error(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        return "x" * MIB

    async def story(world: World) -> None:
        await world.create()

        assert world.error() == (
            "WorkflowInternalError",
            "Workflow output is too large. Maximum allowed size is 1MiB.",
        )

    play(tmp_path, workflow, story)


def test_params_over_a_mebibyte_are_refused(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None: ...

    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match="1,048,578 bytes are too large"):
            await world.create(params="x" * MIB)

        assert world.journal.find(NAME, "a") is None

    play(tmp_path, workflow, story)


def test_an_event_payload_over_a_mebibyte_is_refused(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.wait_for_event("answer", "answer")

    async def story(world: World) -> None:
        await world.create()

        with pytest.raises(WorkerError, match="Event payload of 1,048,578 bytes are too large"):
            await world.send("answer", "x" * MIB)

        assert world.status() == "waiting"

    play(tmp_path, workflow, story)


def test_a_value_that_cannot_be_cloned_ends_the_instance_at_once(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> str:
        try:
            await step.do("bad", lambda ctx: object())
        except Exception:
            return "caught"
        raise AssertionError

    async def story(world: World) -> None:
        await world.create()
        await world.advance(DAY)

        assert world.attempts("bad-1") == [1]
        assert world.error() == (
            "WorkflowFatalError",
            'The execution of the Workflow instance was terminated, as the step "bad"'
            " returned a value which is not serialisable",
        )

    play(tmp_path, workflow, story)


@pytest.mark.parametrize("kind", [bytes, lambda data: values.TypedArray("Int32Array", data)])
def test_bytes_count_as_bytes_and_not_as_what_carries_them(tmp_path: Path, kind: Any) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        value = await step.do("export", lambda ctx: {"data": [kind(b"x" * (MIB - 1_000))]})
        await step.sleep("rest", "1 hour")
        return value

    async def story(world: World) -> None:
        await world.create()
        await world.advance(HOUR)

        assert world.output() == {"data": [kind(b"x" * (MIB - 1_000))]}

    play(tmp_path, workflow, story)


def test_bytes_over_a_mebibyte_are_too_large(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> Any:
        config = {"retries": {"limit": 0, "delay": 0}}
        await step.do("export", lambda ctx: b"x" * (MIB + 1), config)

    async def story(world: World) -> None:
        await world.create()

        assert world.error()[1].startswith("Step export-1 output is too large")

    play(tmp_path, workflow, story)


def test_text_that_looks_like_bytes_counts_as_text() -> None:
    looks = '"$bytes":"' + "A" * 1_000 + '"'
    encoded = values.encode({"text": looks})

    assert values.size(encoded) == len(encoded)
