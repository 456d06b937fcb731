"""Pruning finished instances, what the journal takes up, and space given back to the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.engine.journal import prune
from emulator.engine.journal.prune import Prunable
from emulator.engine.model.definition import Definition
from emulator.engine.model.instance import Status
from emulator.engine.views.subscription import Subscription, Wanted
from emulator.errors import StateError
from tests.engine.scripted import Step
from tests.engine.world import CLASS, DAY, HOUR, NAME, World, play

Event = dict[str, Any]
EVERYTHING = 1 << 40


async def workflow(event: Event, step: Step) -> Any:
    what = event["payload"]
    if what == "fail":
        raise ValueError("as told")
    if what == "rest":
        await step.sleep("rest", "300 days")
    if what == "large":
        for number in range(20):
            await step.do(f"step {number}", lambda ctx: "x" * 100_000)
    return what


async def prune_all(world: World, wanted: Prunable | None = None) -> int:
    return await prune.prune(world.journal, wanted or Prunable(), world.engine.delete)


def ids(world: World) -> list[str]:
    return [name for (name,) in world.journal.query("SELECT id FROM instances ORDER BY key")]


async def one_of_each(world: World) -> None:
    for name, what in (("done", "ok"), ("failed", "fail"), ("ended", "rest"), ("open", "rest")):
        await world.create(name, what)
    await world.terminate("ended")


def test_all_that_has_ended_is_pruned_and_nothing_else(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await one_of_each(world)

        assert prune.count(world.journal, Prunable()) == 3
        assert await prune_all(world) == 3
        assert ids(world) == ["open"]
        assert world.journal.query("SELECT DISTINCT instance FROM entries") == [(4,)]

    play(tmp_path, workflow, story)


def test_only_instances_with_the_statuses_asked_for_are_pruned(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await one_of_each(world)

        assert await prune_all(world, Prunable(statuses=frozenset({Status.ERRORED}))) == 1
        assert ids(world) == ["done", "ended", "open"]

    play(tmp_path, workflow, story)


def test_an_instance_that_has_not_ended_is_never_pruned_even_when_asked_for(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await world.create("open", "rest")

        assert await prune_all(world, Prunable(statuses=frozenset({Status.WAITING}))) == 0
        assert world.status("open") == "waiting"

    play(tmp_path, workflow, story)


def test_the_age_of_an_instance_counts_from_its_end(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("old", "ok")
        await world.create("long", "rest")
        await world.advance(2 * DAY)
        await world.terminate("long")
        await world.advance(HOUR)
        until_ms = world.clock.now_ms() - DAY

        assert await prune_all(world, Prunable(ended_until_ms=until_ms)) == 1
        assert ids(world) == ["long"]

    play(tmp_path, workflow, story)


def test_one_workflow_is_pruned_and_the_others_are_left_alone(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a", "ok")
        await world.control.create("other", "a", b'"ok"')
        await world.settle()

        assert await prune_all(world, Prunable(workflow="other")) == 1
        assert world.status("a") == "complete"

    definitions = [Definition(NAME, CLASS), Definition("other", CLASS)]
    play(tmp_path, workflow, story, definitions=definitions)


def test_more_instances_than_are_pruned_at_once_are_all_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "AT_ONCE", 3)

    async def story(world: World) -> None:
        for _ in range(10):
            await world.create(None, "ok")

        assert await prune_all(world) == 10
        assert ids(world) == []

    play(tmp_path, workflow, story)


def test_the_id_of_a_pruned_instance_can_be_used_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a", "ok")
        await prune_all(world)
        await world.create("a", "again")

        assert world.output() == "again"

    play(tmp_path, workflow, story)


def test_a_disk_that_refuses_loses_nothing_and_is_told_of(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("a", "ok")
        with world.disk.read_only(), pytest.raises(StateError, match="not recorded"):
            await prune_all(world)
        await world.advance(HOUR)

        assert world.status() == "complete"

    play(tmp_path, workflow, story)


def test_the_space_of_pruned_instances_is_given_back_to_the_disk(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("large", "large")
        await world.create("kept", "ok")
        world.disk.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = world.path.stat().st_size
        assert before > 2_000_000
        await world.control.delete(NAME, "large")

        freed = await world.journal.give_back(EVERYTHING)

        assert freed > 1_900_000
        assert world.path.stat().st_size == before - freed
        assert world.path.with_name("journal.sqlite-wal").stat().st_size == 0
        assert world.output("kept") == "ok"

    play(tmp_path, workflow, story)


def test_a_large_journal_is_not_rewritten_while_others_wait(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for name in ("large", "kept"):
            await world.create(name, "large")
        await world.control.delete(NAME, "large")

        assert await world.journal.give_back(1_000_000) == 0

    play(tmp_path, workflow, story)


def test_ids_go_on_after_space_was_given_back(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("large", "large")
        key = world.journal.find(NAME, "large")
        assert key is not None
        highest = max(number for number, _ in world.journal.numbered(key))
        await prune_all(world)
        assert await world.journal.give_back(EVERYTHING) > 0
        await world.crash_and_boot()
        await world.create("a", "ok")

        key = world.journal.find(NAME, "a")
        assert key == 2
        event = Subscription(world.journal, key, Wanted()).take()
        assert event is not None and event.id > highest

    play(tmp_path, workflow, story)


def test_what_the_journal_holds_is_measured_by_workflow_and_instance(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.create("large", "large")
        await world.create("small", "ok")
        await world.control.create("other", "a", b'"ok"')
        await world.settle()

        sizes = prune.measure(world.path)

        assert [(size.workflow, size.instances) for size in sizes.workflows] == [
            (NAME, 2),
            ("other", 1),
        ]
        assert 2_000_000 < sizes.workflows[0].history_bytes < 2_100_000
        assert [(size.workflow, size.id) for size in sizes.largest][0] == (NAME, "large")
        assert sizes.largest[0].status is Status.COMPLETE
        assert sizes.largest[0].history_bytes > 1000 * sizes.largest[1].history_bytes
        assert sizes.file_bytes + sizes.log_bytes > 2_000_000

    definitions = [Definition(NAME, CLASS), Definition("other", CLASS)]
    play(tmp_path, workflow, story, definitions=definitions)


def test_an_empty_journal_is_measured(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.journal.committed()
        sizes = prune.measure(world.path)

        assert (sizes.workflows, sizes.largest) == ([], [])
        assert sizes.file_bytes + sizes.log_bytes > 0

    play(tmp_path, workflow, story)


def test_a_file_that_is_not_a_journal_cannot_be_measured_and_a_missing_one_takes_no_space(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.sqlite"
    assert prune.measure(path).file_bytes == 0

    path.write_text("this is no database")
    with pytest.raises(StateError, match="not read"):
        prune.measure(path)
