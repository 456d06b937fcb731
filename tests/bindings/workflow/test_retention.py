"""`retention` of `create` and `createBatch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bindings.workflow.workflow import WorkflowBinding
from emulator.errors import WorkerError
from emulator.protocol import values
from tests.engine.scripted import Step
from tests.engine.world import HOUR, MINUTE, NAME, World, play


async def workflow(event: dict[str, Any], step: Step) -> str:
    return "done"


def bound(world: World) -> WorkflowBinding:
    return WorkflowBinding(NAME, world.control, values.encode, values.decode)


def ids(world: World) -> list[str]:
    return [name for (name,) in world.journal.query("SELECT id FROM instances ORDER BY key")]


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        ("create", lambda item: item),
        ("createBatch", lambda item: [item, {"id": "kept"}]),
        ("createBatch", lambda item: {"instances": [item]}),
    ],
    ids=["create", "array", "object"],
)
def test_an_instance_is_kept_as_long_as_create_says(
    tmp_path: Path, method: str, argument: Any
) -> None:
    async def story(world: World) -> None:
        item = {"id": "a", "retention": {"successRetention": "1 minute", "errorRetention": None}}
        await bound(world).call(method, [argument(item)])
        await world.settle()
        assert world.status() == "complete"
        await world.advance(2 * MINUTE)

        assert "a" not in ids(world)

    play(tmp_path, workflow, story)


def test_the_other_end_keeps_the_default(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await bound(world).call("create", [{"id": "a", "retention": {"errorRetention": 1000}}])
        await world.advance(HOUR)

        assert ids(world) == ["a"]

    play(tmp_path, workflow, story)


@pytest.mark.parametrize(
    "retention",
    ["1 day", {"successRetention": "1 d"}, {"success": 1}, {"errorRetention": -1}],
    ids=repr,
)
def test_with_a_wrong_retention_nothing_is_created(tmp_path: Path, retention: Any) -> None:
    async def story(world: World) -> None:
        item = {"id": "a", "retention": retention}
        for method, argument in (("create", item), ("createBatch", [item])):
            with pytest.raises(WorkerError, match=r"^\(body\) "):
                await bound(world).call(method, [argument])

        assert ids(world) == []

    play(tmp_path, workflow, story)
