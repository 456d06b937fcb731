"""Creating instances, one by one and in batches: ids, order, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bindings.workflow.workflow import WorkflowBinding
from emulator.answers.creation import NewInstance
from emulator.engine.control import BATCH_MAX
from emulator.errors import WorkerError
from emulator.protocol import values
from tests.engine.scripted import Step, StepError
from tests.engine.world import NAME, World, play

Event = dict[str, Any]


async def echo(event: Event, step: Step) -> Any:
    return event["payload"]


def binding(world: World) -> WorkflowBinding:
    return WorkflowBinding(NAME, world.control, values.encode, values.decode)


def test_an_instance_without_an_id_gets_a_uuid(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        created = await world.create(None)

        assert str(UUID(created)) == created

    play(tmp_path, echo, story)


def test_a_created_instance_is_there_after_a_crash(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.control.create(NAME, "a", None)
        await world.crash_and_boot()

        assert world.status() == "complete"

    play(tmp_path, echo, story)


def test_an_id_in_use_is_refused(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a", 1)

        with pytest.raises(WorkerError, match=r"\(instance.already_exists\)"):
            await world.create("a", 2)

        assert world.output() == 1

    play(tmp_path, echo, story)


def test_an_id_in_use_since_the_same_turn_is_refused(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        first = world.control.create(NAME, "a", b"1")
        second = world.control.create(NAME, "a", b"2")
        first.send(None)  # up to where it waits for the commit

        with pytest.raises(WorkerError, match=r"\(instance.already_exists\)"):
            second.send(None)

        first.close()

    play(tmp_path, echo, story)


@pytest.mark.parametrize("instance", ["", "-a", "a b", "x" * 101, "é", "a\n", "a/b"])
def test_a_bad_id_is_refused(tmp_path: Path, instance: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match=r"^\(instance.invalid_id\) Instance has invalid id$"):
            await world.create(instance)

    play(tmp_path, echo, story)


def test_an_id_of_null_is_refused(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match=r"^\(instance.invalid_id\) Instance has invalid id$"):
            await binding(world).call("create", [{"id": None}])

    play(tmp_path, echo, story)


def test_getting_an_unknown_instance_says_not_found(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match=r"^\(instance.not_found\) Instance not found$"):
            await binding(world).call("get", ["nobody"])

    play(tmp_path, echo, story)


async def fails(event: Event, step: Step) -> Any:
    raise StepError("Error", "no")


@pytest.mark.parametrize(
    ("workflow", "rest"),
    [
        (echo, {"status": "complete", "error": None, "output": 1, "rollback": None}),
        (
            fails,
            {
                "status": "errored",
                "error": {"name": "Error", "message": "no"},
                "output": None,
                "rollback": None,
            },
        ),
    ],
)
def test_a_status_has_the_same_keys_in_the_same_order_whatever_it_is(
    tmp_path: Path, workflow: Any, rest: dict[str, Any]
) -> None:
    async def story(world: World) -> None:
        await world.control.create(NAME, "a", b"1")
        fresh = await binding(world).call("status", ["a"])
        assert list(fresh.items()) == [
            ("status", "running"),
            ("error", None),
            ("output", None),
            ("rollback", None),
        ]
        await world.settle()
        assert list((await binding(world).call("status", ["a"])).items()) == list(rest.items())

    play(tmp_path, workflow, story)


def test_what_the_binding_refuses_is_an_error_by_javascripts_plain_name(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a")
        refusals: list[tuple[str, list[Any]]] = [
            ("create", [{"id": "a"}]),
            ("create", [{"id": ":"}]),
            ("get", ["nobody"]),
            ("sendEvent", ["a", {"type": "a:b"}]),
            ("createBatch", [{}]),
        ]
        for method, args in refusals:
            with pytest.raises(WorkerError) as refused:
                await binding(world).call(method, args)
            assert refused.value.name == "Error"

    play(tmp_path, echo, story)


def test_a_batch_returns_the_ids_it_made_in_order(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        created = await binding(world).call(
            "createBatch", [[{"id": "b", "params": 2}, {"id": "a", "params": 1}]]
        )
        await world.settle()

        assert created == [{"id": "b"}, {"id": "a"}]
        assert (world.output("a"), world.output("b")) == (1, 2)

    play(tmp_path, echo, story)


def test_a_batch_leaves_ids_out_that_exist_or_repeat(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("old")
        created = await world.control.create_batch(
            NAME,
            [
                NewInstance("old"),
                NewInstance("new", b"1"),
                NewInstance("new", b"2"),
                NewInstance("other"),
            ],
        )
        await world.settle()

        assert created == ["new", "other"]
        assert world.output("new") == 1

    play(tmp_path, echo, story)


def test_a_batch_with_one_bad_item_makes_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match="invalid id"):
            await world.control.create_batch(NAME, [NewInstance("good"), NewInstance("not good")])

        assert world.journal.find(NAME, "good") is None

    play(tmp_path, echo, story)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (0, "batchCreate should have at least 1 instance"),
        (BATCH_MAX + 1, "batchCreate only supports 100 instances at a time"),
    ],
)
def test_a_batch_of_none_or_of_too_many_is_refused(
    tmp_path: Path, count: int, message: str
) -> None:
    async def story(world: World) -> None:
        with pytest.raises(WorkerError, match=f"^WorkflowError: {message}$"):
            await world.control.create_batch(NAME, [NewInstance()] * count)

    play(tmp_path, echo, story)


def test_a_batch_of_a_hundred_is_one_transaction(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        commits: list[int] = []
        world.journal.on_commit = lambda entries: commits.append(len(entries))
        await world.control.create_batch(NAME, [NewInstance()] * BATCH_MAX)

        assert commits == [BATCH_MAX]

    play(tmp_path, echo, story)


def test_two_workflows_may_use_the_same_id(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a", 1)
        await world.control.create("invoices", "a", b"2")

        assert world.journal.find("invoices", "a") != world.journal.find(NAME, "a")

    play(tmp_path, echo, story)
