"""How many instances may be queued, and how fast they may be created."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bindings.workflow.workflow import WorkflowBinding
from emulator.engine.creation_limits import QUEUED_MAX, Admission, Limits
from emulator.errors import WorkerError
from emulator.protocol import values
from tests.engine.scripted import Step
from tests.engine.world import NAME, SECOND, World, play

Event = dict[str, Any]


async def returns(event: Event, step: Step) -> None:
    return None


def test_by_default_the_queue_is_productions_and_the_rate_is_free() -> None:
    admission = Admission()

    for _ in range(1_000):
        admission.admit(NAME, 100, queued=0, now_ms=0)

    with pytest.raises(WorkerError, match=r"\(instance.too_many_queued\) 2,000,000 instances"):
        admission.admit(NAME, 1, queued=QUEUED_MAX, now_ms=0)


def test_a_rate_allows_a_burst_of_one_second_and_then_its_pace() -> None:
    admission = Admission(Limits(creation_rate=100))
    admission.admit(NAME, 100, queued=0, now_ms=0)

    with pytest.raises(WorkerError, match=r"\(rate_limit.workflow_instance_creation\) too many"):
        admission.admit(NAME, 1, queued=0, now_ms=9)

    admission.admit(NAME, 1, queued=0, now_ms=10)
    admission.admit(NAME, 99, queued=0, now_ms=1_000)
    with pytest.raises(WorkerError):
        admission.admit(NAME, 1, queued=0, now_ms=1_000)


def test_time_that_goes_by_is_not_saved_up() -> None:
    admission = Admission(Limits(creation_rate=100))
    admission.admit(NAME, 1, queued=0, now_ms=0)

    with pytest.raises(WorkerError):
        admission.admit(NAME, 101, queued=0, now_ms=60_000)


def test_each_workflow_has_a_rate_of_its_own() -> None:
    admission = Admission(Limits(creation_rate=1))

    admission.admit("one", 1, queued=0, now_ms=0)
    admission.admit("other", 1, queued=0, now_ms=0)


def test_a_full_queue_refuses_creations_and_keeps_what_it_has(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.control.admission.limits = Limits(queued=2)
        world.lose_guest()
        await world.create("a")
        await world.create("b")

        with pytest.raises(WorkerError, match=r"\(instance.too_many_queued\)"):
            await world.create("c")

        assert world.journal.find(NAME, "c") is None
        world.load()
        await world.settle()
        assert [world.status(name) for name in "ab"] == ["complete"] * 2
        await world.create("c")

    play(tmp_path, returns, story)


@pytest.mark.parametrize("items", [[{"id": "b"}, {"id": "c"}], {"count": 2}])
def test_a_batch_that_is_too_much_creates_nothing(tmp_path: Path, items: Any) -> None:
    async def story(world: World) -> None:
        world.control.admission.limits = Limits(creation_rate=2)
        await world.create("a")

        with pytest.raises(WorkerError, match="rate_limit"):
            await WorkflowBinding(NAME, world.control, values.encode, values.decode).call(
                "createBatch", [items]
            )

        assert world.journal.query("SELECT id FROM instances") == [("a",)]
        await world.advance(SECOND)
        await WorkflowBinding(NAME, world.control, values.encode, values.decode).call(
            "createBatch", [items]
        )

    play(tmp_path, returns, story)


def test_restarts_count_and_events_do_not(tmp_path: Path) -> None:
    async def workflow(event: Event, step: Step) -> None:
        await step.wait_for_event("answer", "answer")

    async def story(world: World) -> None:
        world.control.admission.limits = Limits(creation_rate=2)
        await world.create()
        await world.restart()

        with pytest.raises(WorkerError, match="rate_limit"):
            await world.restart()

        await world.send("answer")
        assert world.status() == "complete"

    play(tmp_path, workflow, story)
