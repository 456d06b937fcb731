"""The object form of `createBatch`: what is made, what is reported, and what is refused whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bindings.workflow.workflow import WorkflowBinding
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.protocol.runs import RunStart
from tests.engine.scripted import Step
from tests.engine.world import NAME, World, play

Event = dict[str, Any]
EXISTS = {"code": 10405, "message": "workflows.api.error.instance.already_exists"}
REPEATED = {"code": 10415, "message": "workflows.api.error.instance.duplicate_in_batch"}
DURATION = (
    "Duration must be a number or a string in format '{{number}} {{unit}}'"
    " where unit is second(s), minute(s), etc."
)


async def echo(event: Event, step: Step) -> Any:
    return event["payload"]


async def create(world: World, given: Any) -> Any:
    """What the binding's `createBatch` returns; everything it started has ended by then."""
    result = await WorkflowBinding(NAME, world.control, values.encode, values.decode).call(
        "createBatch", [given]
    )
    await world.settle()
    return result


def how_many(world: World) -> int:
    return sum(1 for _ in world.journal.every())


def test_a_count_makes_as_many_instances_with_the_same_params(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        result = await create(world, {"count": 3, "params": {"n": 1}})

        assert result["errors"] == []
        ids = [record["id"] for record in result["created"]]
        assert len({str(UUID(instance)) for instance in ids}) == 3
        assert [world.output(instance) for instance in ids] == [{"n": 1}] * 3

    play(tmp_path, echo, story)


def test_a_count_may_be_a_hundred(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        result = await create(world, {"count": 100})

        assert len(result["created"]) == 100

    play(tmp_path, echo, story)


def test_instances_are_made_in_the_order_given(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        result = await create(world, {"instances": [{"id": "b", "params": 2}, {}, {"id": "a"}]})

        assert result["errors"] == []
        ids = [record["id"] for record in result["created"]]
        assert (ids[0], ids[2], len(ids)) == ("b", "a", 3)
        assert [world.output(instance) for instance in ids] == [2, {}, {}]

    play(tmp_path, echo, story)


def test_ids_that_exist_or_repeat_are_reported_at_their_place(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("old", 0)
        ids = ["old", "new", "new", "old", "other"]
        wanted = [{"id": instance, "params": n} for n, instance in enumerate(ids, 1)]
        result = await create(world, {"instances": wanted})

        assert result == {
            "created": [{"id": "new"}, {"id": "other"}],
            "errors": [
                {"index": 0, "id": "old", **EXISTS},
                {"index": 2, "id": "new", **REPEATED},
                {"index": 3, "id": "old", **REPEATED},
            ],
        }
        assert [world.output(instance) for instance in ("old", "new", "other")] == [0, 2, 5]

    play(tmp_path, echo, story)


def test_good_options_are_accepted(tmp_path: Path) -> None:
    options = {
        "retention": {"successRetention": "3 days", "errorRetention": 60_000},
        "locationHint": "weur",
    }

    async def story(world: World) -> None:
        counted = await create(world, {"count": 1, **options})
        listed = await create(world, {"instances": [{"id": "a", **options}, {"retention": {}}]})

        assert (len(counted["created"]), len(listed["created"])) == (1, 2)

    play(tmp_path, echo, story)


def item(**options: Any) -> dict[str, Any]:
    return {"instances": [{"id": "good"}, options]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "Provided argument is invalid"),
        ("three", "Provided argument is invalid"),
        ({}, "Provided argument is invalid"),
        ({"params": 1}, "Provided argument is invalid"),
        ({"count": 1, "instances": [{}]}, "Provided argument is invalid"),
        ({"instances": {"id": "a"}}, "Provided argument is invalid"),
        ({"count": 0}, "count must be a positive integer"),
        ({"count": -1}, "count must be a positive integer"),
        ({"count": 1.5}, "count must be a positive integer"),
        ({"count": float("nan")}, "count must be a positive integer"),
        ({"count": float("inf")}, "count must be a positive integer"),
        ({"count": True}, "count must be a positive integer"),
        ({"count": "3"}, "count must be a positive integer"),
        ({"count": None}, "count must be a positive integer"),
        ({"count": 101}, "batchCreate only supports 100 instances at a time"),
        ({"count": 1, "id": "a"}, "id cannot be given with count; ids are made for you"),
        ({"instances": []}, "Batch size exceeds maximum allowed"),
        ({"instances": [{}] * 101}, "Batch size exceeds maximum allowed"),
        ({"instances": ["a"]}, "instances[0]: Expected object, received string"),
        ({"instances": [None]}, "instances[0]: Expected object, received null"),
        ({"count": 1, "retention": 1}, "retention: Expected object, received number"),
        ({"count": 1, "retention": {"successRetention": "soon"}}, DURATION),
        (item(retention=True), "instances[1].retention: Expected object, received boolean"),
        (item(retention={"errorRetention": -1}), DURATION),
        (item(retention={"errorRetention": []}), DURATION),
        (
            item(retention={"success": 1}),
            "instances[1].retention: Unrecognized key 'success';"
            " expected successRetention or errorRetention",
        ),
        (
            item(locationHint="mars"),
            "instances[1].locationHint: Expected one of wnam, enam, sam, weur, eeur, apac, apac-ne,"
            " apac-se, oc, afr, me; received 'mars'",
        ),
        (
            item(locationHint=[], retention={"errorRetention": "x"}),
            f"{DURATION}; instances[1].locationHint: Expected one of wnam, enam, sam, weur, eeur,"
            " apac, apac-ne, apac-se, oc, afr, me; received array",
        ),
    ],
    ids=str,
)
def test_a_bad_batch_is_refused_before_anything_is_created(
    tmp_path: Path, given: Any, message: str
) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError) as caught:
            await create(world, given)

        assert str(caught.value) == f"(body) {message}"
        assert how_many(world) == 0

    play(tmp_path, echo, story)


@pytest.mark.parametrize(
    "instance",
    ["", "-a", "a b", "a.b", "a" * 101, "*/5", None, 7, "batch", "terminate", "terminateAll"]
    + ["cf_" + "0a" * 32],
)
def test_a_bad_or_reserved_id_refuses_the_whole_batch(tmp_path: Path, instance: Any) -> None:
    async def story(world: World) -> None:
        message = r"^\(instance.invalid_id\) Instance ID is invalid$"
        with pytest.raises(WorkerError, match=message):
            await create(world, {"instances": [{"id": "good"}, {"id": instance}]})

        assert how_many(world) == 0

    play(tmp_path, echo, story)


@pytest.mark.parametrize("instance", ["cf_" + "0A" * 32, "cf_0a", "batches", "terminateall"])
def test_an_id_that_only_resembles_a_reserved_one_is_good(tmp_path: Path, instance: str) -> None:
    async def story(world: World) -> None:
        result = await create(world, {"instances": [{"id": instance}]})

        assert result == {"created": [{"id": instance}], "errors": []}

    play(tmp_path, echo, story)


def test_params_over_a_mebibyte_refuse_the_whole_batch(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match="Maximum allowed size is 1MiB"):
            await create(world, {"instances": [{}, {"params": "x" * 1_048_577}]})

        assert how_many(world) == 0

    play(tmp_path, echo, story)


def test_a_batch_is_answered_before_its_instances_start(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        binding = WorkflowBinding(NAME, world.control, values.encode, values.decode)
        await world.settle()

        await binding.call("createBatch", [{"count": 100}])

        assert world.sent(RunStart) == []
        assert world.engine.in_flight()  # a virtual clock does not jump over them
        await world.settle()
        assert len(world.sent(RunStart)) == 100

    play(tmp_path, echo, story)


def test_the_start_of_a_run_is_recorded_with_what_the_run_does(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        binding = WorkflowBinding(NAME, world.control, values.encode, values.decode)
        await world.settle()
        await binding.call("create", [])
        before = world.commits

        while not world.sent(RunStart):
            await asyncio.sleep(0)

        assert world.journal.has_late
        assert world.commits == before

    play(tmp_path, echo, story)
