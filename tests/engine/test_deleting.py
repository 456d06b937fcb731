"""Deleting instances: in every status, from inside, in batches, and what is free afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bindings.workflow.workflow import WorkflowBinding
from emulator.answers.creation import NewInstance
from emulator.engine.model.entries import Entry
from emulator.engine.model.instance import Status
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.protocol.runs import RunAbort
from tests.engine.scripted import Context, Step
from tests.engine.test_lifecycle import Stage
from tests.engine.world import CLASS, DAY, MINUTE, NAME, World, play

Event = dict[str, Any]
NOT_FOUND = {"code": 10400, "message": "workflows.api.error.instance.not_found"}
CRON_ID = "*/30 * * * *-1786001400000"


async def echo(event: Event, step: Step) -> Any:
    return event["payload"]


async def sleeper(event: Event, step: Step) -> Any:
    await step.sleep("rest", "1 hour")
    return event["payload"]


def binding(world: World) -> WorkflowBinding:
    return WorkflowBinding(NAME, world.control, values.encode, values.decode)


def rows(world: World) -> tuple[int, int]:
    """How many instances and entries the file holds."""
    count = "SELECT (SELECT count(*) FROM instances), (SELECT count(*) FROM entries)"
    ((instances, entries),) = world.journal.query(count)
    return instances, entries


def remembered(world: World) -> set[int]:
    """The instances that the engine still knows something of."""
    world.engine.roster.check()
    return world.engine.roster.keys() | world.engine.blame.keys()


@pytest.mark.parametrize("before", list(Status))
def test_an_instance_can_be_deleted_in_every_status(tmp_path: Path, before: Status) -> None:
    stage = Stage()

    async def story(world: World) -> None:
        await stage.reach(world, before)
        await world.delete()
        stage.gate.set()
        if before is Status.QUEUED:
            world.load()
        await world.advance(DAY)

        assert rows(world) == (0, 0)
        assert remembered(world) == set()
        assert world.guest.runs == 0
        with pytest.raises(WorkerError, match=r"^\(instance.not_found\) Instance not found$"):
            world.status()

    play(tmp_path, stage.workflow, story)


def test_a_deleted_instance_is_gone_after_a_crash(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        await world.control.delete(NAME, "a")
        await world.crash_and_boot()
        await world.advance(DAY)

        assert rows(world) == (0, 0)
        assert world.started() == []

    play(tmp_path, sleeper, story)


def test_other_instances_keep_their_history(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a")
        await world.create("b", 7)
        await world.delete("a")
        await world.crash_and_boot()
        await world.advance(DAY)

        assert world.output("b") == 7

    play(tmp_path, sleeper, story)


def test_an_instance_deleted_in_the_turn_it_was_created_never_was(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        told: list[Entry] = []
        world.journal.on_commit = told.extend
        await asyncio.gather(world.control.create(NAME, "a", None), world.control.delete(NAME, "a"))
        await world.settle()

        assert (rows(world), told) == ((0, 0), [])
        assert remembered(world) == set()

    play(tmp_path, echo, story)


def test_a_deleted_id_can_be_created_again_in_the_same_turn(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a", "old")
        await asyncio.gather(
            world.control.delete(NAME, "a"), world.control.create(NAME, "a", b'"new"')
        )
        await world.advance(DAY)

        assert world.output() == "new"
        assert rows(world)[0] == 1

    play(tmp_path, sleeper, story)


def test_create_delete_and_create_in_one_turn_leave_the_last_one(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await asyncio.gather(
            world.control.create(NAME, "a", b'"first"'),
            world.control.delete(NAME, "a"),
            world.control.create(NAME, "a", b'"second"'),
        )
        await world.settle()

        assert world.output() == "second"
        assert rows(world)[0] == 1

    play(tmp_path, echo, story)


def test_an_event_for_a_deleted_instance_is_refused_in_the_same_turn(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create()
        delete = asyncio.ensure_future(world.control.delete(NAME, "a"))
        await asyncio.sleep(0)
        with pytest.raises(WorkerError, match="instance.not_found"):
            await world.control.send_event(NAME, "a", "go", b"1")
        await delete

        assert rows(world) == (0, 0)

    play(tmp_path, sleeper, story)


@pytest.mark.parametrize("inside_step", [False, True], ids=["in run()", "in a step"])
def test_an_instance_that_deletes_itself_stops_there(tmp_path: Path, inside_step: bool) -> None:
    went_on: list[str] = []

    async def story(world: World) -> None:
        async def delete(ctx: Context | None = None) -> None:
            await world.control.delete(NAME, "a")
            await asyncio.sleep(0)
            went_on.append("after the deletion")

        async def workflow(event: Event, step: Step) -> None:
            await (step.do("delete", delete) if inside_step else delete())
            await step.do("next", lambda ctx: went_on.append("in the next step"))

        world.load({CLASS: workflow})
        await world.create()
        await world.advance(DAY)

        assert went_on == []
        assert rows(world) == (0, 0)
        assert remembered(world) == set()
        assert [type(m) for m in world.guest.sent][-1] is RunAbort
        assert world.reports == []

    play(tmp_path, echo, story)


def test_an_instance_whose_code_is_gone_can_be_deleted(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.load({})
        await world.create()
        await world.delete()
        world.load({CLASS: echo})
        await world.create("b")

        assert world.status("b") == "complete"
        assert rows(world)[0] == 1
        assert remembered(world) == set()

    play(tmp_path, echo, story)


def test_deleting_a_running_instance_gives_its_place_to_the_next(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def workflow(event: Event, step: Step) -> None:
        await step.do("work", lambda ctx: gate.wait())

    async def story(world: World) -> None:
        await world.create("a")
        await world.create("b")
        assert world.status("b") == "queued"

        await world.delete("a")

        assert world.status("b") == "running"

    play(tmp_path, workflow, story, concurrency=1)


def test_a_deletion_that_cannot_be_recorded_deletes_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a", 7)
        world.disk.refuse_commits()
        with pytest.raises(WorkerError, match="not recorded"):
            await world.control.delete(NAME, "a")
        assert world.status() == "waiting"

        world.disk.accept_commits()
        await world.advance(DAY)

        assert world.output() == 7

    play(tmp_path, sleeper, story)


def test_room_can_be_made_on_a_full_disk_by_deleting(tmp_path: Path) -> None:
    big = "x" * 100_000

    async def story(world: World) -> None:
        await world.create("old", big)
        with world.disk.full():
            with pytest.raises(WorkerError, match="not recorded"):
                await world.create("new", big)
            await world.advance(MINUTE)
            await world.delete("old")
            await world.advance(MINUTE)
            await world.create("new", big)

            assert world.status("new") == "complete"

    play(tmp_path, echo, story)


# What cannot be an id is the same for one deletion and for a batch of them.
BAD_IDS: list[Any] = ["", "a!", "a?", "0 0 * * MON?2-1786001400000", "x" * 272, "a\n", "ä", None, 7]
GOOD_IDS = ["a", "x" * 271, CRON_ID, "0 0 * * MON#2-1786001400000", "0 0 1,15 * *-1", "N_1-/cron"]


@pytest.mark.parametrize("instance", BAD_IDS)
def test_what_cannot_be_an_id_cannot_be_deleted(tmp_path: Path, instance: Any) -> None:
    async def story(world: World) -> None:
        await world.create("a")
        message = r"^\(instance.invalid_id\) Instance ID is invalid$"
        with pytest.raises(WorkerError, match=message):
            await binding(world).call("delete", [instance])
        with pytest.raises(WorkerError, match=message):
            await binding(world).call("deleteBatch", [["a", instance]])

        assert world.status("a") == "complete"

    play(tmp_path, echo, story)


@pytest.mark.parametrize("instance", GOOD_IDS)
def test_whatever_an_instance_may_be_called_is_an_id_to_delete(
    tmp_path: Path, instance: str
) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match="instance.not_found"):
            await binding(world).call("delete", [instance])
        result = await binding(world).call("deleteBatch", [[instance]])

        assert result == {"deleted": [], "errors": [{"id": instance, **NOT_FOUND}]}

    play(tmp_path, echo, story)


def test_a_batch_deletes_what_is_there_and_reports_what_is_not(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for instance in ("a", "b", "c"):
            await world.create(instance)
        result = await binding(world).call("deleteBatch", [["c", "missing", "a"]])

        assert result == {
            "deleted": [{"id": "c"}, {"id": "a"}],
            "errors": [{"id": "missing", **NOT_FOUND}],
        }
        assert world.status("b") == "waiting"
        assert rows(world)[0] == 1

    play(tmp_path, sleeper, story)


def test_a_batch_reports_an_id_as_often_as_it_was_given(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a")
        ids = ["a", CRON_ID, "a", CRON_ID]
        result = await binding(world).call("deleteBatch", [ids])

        assert result == {
            "deleted": [{"id": "a"}, {"id": "a"}],
            "errors": [{"id": CRON_ID, **NOT_FOUND}, {"id": CRON_ID, **NOT_FOUND}],
        }

    play(tmp_path, echo, story)


def test_a_batch_that_cannot_be_recorded_says_so_for_each_instance(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a", 7)
        world.disk.refuse_commits()
        result = await binding(world).call("deleteBatch", [["a", "missing"]])
        internal = {"code": 10001, "message": "workflows.api.error.internal_server"}
        assert result == {
            "deleted": [],
            "errors": [{"id": "a", **internal}, {"id": "missing", **NOT_FOUND}],
        }

        world.disk.accept_commits()
        await world.advance(DAY)

        assert world.output() == 7

    play(tmp_path, sleeper, story)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (None, "Provided argument is invalid"),
        ("a", "Provided argument is invalid"),
        ({"instances": ["a"]}, "Provided argument is invalid"),
        ([], "batchDeleteInstances should have at least 1 instance"),
        (["a"] * 101, "batchDeleteInstances only supports 100 instances at a time"),
    ],
)
def test_a_wrong_batch_of_deletions_is_refused(tmp_path: Path, ids: Any, message: str) -> None:
    async def story(world: World) -> None:
        await world.create("a")
        with pytest.raises(WorkerError, match=rf"^\(body\) {message}$"):
            await binding(world).call("deleteBatch", [ids])

        assert world.status("a") == "complete"

    play(tmp_path, echo, story)


def test_a_hundred_deletions_are_one_transaction(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        ids = [f"i{n}" for n in range(100)]
        await world.control.create_batch(NAME, [NewInstance(instance) for instance in ids])
        await world.settle()
        statements = world.disk.statements()
        result = await world.control.delete_batch(NAME, ids)

        assert result["deleted"] == [{"id": instance} for instance in ids]
        assert result["errors"] == []
        assert statements.count("COMMIT") == 1
        assert rows(world) == (0, 0)

    play(tmp_path, sleeper, story)
