"""How long finished instances are kept, and what is left of them afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.engine import expiry
from emulator.engine.model.definition import Definition, Retention
from emulator.errors import WorkerError
from tests.engine.scripted import Step
from tests.engine.world import CLASS, DAY, HOUR, MINUTE, NAME, SECOND, World, play

Event = dict[str, Any]


async def workflow(event: Event, step: Step) -> Any:
    what = event["payload"]
    if what == "fail":
        raise ValueError("as told")
    if what == "rest":
        await step.sleep("rest", "20 days")
    return what


async def create(world: World, name: str, what: str, kept: dict[str, int] | None = None) -> None:
    await world.control.create(NAME, name, f'"{what}"'.encode(), retention=kept)
    await world.settle()


def ids(world: World) -> list[str]:
    return [name for (name,) in world.journal.query("SELECT id FROM instances ORDER BY key")]


def configured(success_ms: int, error_ms: int) -> list[Definition]:
    return [Definition(NAME, CLASS, retention=Retention(success_ms, error_ms))]


def test_a_finished_instance_is_kept_for_seven_days_as_in_production(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "a", "ok")
        await world.advance(7 * DAY - SECOND)
        assert world.status() == "complete"
        await world.advance(2 * SECOND)

        with pytest.raises(WorkerError, match="instance.not_found"):
            world.status()
        assert world.journal.query("SELECT count(*) FROM entries") == [(0,)]

    play(tmp_path, workflow, story)


def test_the_time_counts_from_the_end_of_the_instance(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "a", "rest")
        await world.advance(26 * DAY)
        assert world.status() == "complete"
        await world.advance(DAY + MINUTE)

        assert ids(world) == []

    play(tmp_path, workflow, story)


def test_success_and_failure_have_their_own_times(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "good", "ok")
        await create(world, "bad", "fail")
        await create(world, "ended", "rest")
        await world.terminate("ended")
        await world.advance(HOUR + MINUTE)
        assert ids(world) == ["bad", "ended"]
        await world.advance(HOUR)

        assert ids(world) == []

    play(tmp_path, workflow, story, definitions=configured(HOUR, 2 * HOUR))


def test_an_instance_can_have_times_of_its_own(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "short", "ok", {"success": MINUTE})
        await create(world, "long", "ok", {"success": 3 * HOUR})
        await create(world, "other", "ok", {"error": MINUTE})
        await world.advance(2 * MINUTE)
        assert ids(world) == ["long", "other"]
        await world.advance(2 * HOUR)

        assert ids(world) == ["long"]

    play(tmp_path, workflow, story, definitions=configured(HOUR, HOUR))


def test_nothing_is_kept_for_more_than_thirty_days(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "a", "ok", {"success": 365 * DAY})
        await world.advance(30 * DAY + MINUTE)

        assert ids(world) == []

    play(tmp_path, workflow, story)


def test_a_retention_of_nothing_deletes_at_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "a", "ok", {"success": 0})
        await world.advance(SECOND)

        assert ids(world) == []

    play(tmp_path, workflow, story)


def test_an_instance_that_has_not_ended_never_expires(tmp_path: Path) -> None:
    async def forever(event: Event, step: Step) -> None:
        await step.sleep("rest", "300 days")

    async def story(world: World) -> None:
        await create(world, "a", "rest", {"success": 0, "error": 0})
        await world.advance(200 * DAY)

        assert world.status() == "waiting"

    play(tmp_path, forever, story)


def test_a_restart_takes_the_expiry_back_and_keeps_the_retention(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "a", "rest", {"success": HOUR, "error": HOUR})
        await world.terminate()
        await world.advance(MINUTE)
        await world.restart()
        await world.advance(2 * HOUR)
        assert world.status() == "waiting"
        await world.advance(20 * DAY + HOUR)

        assert ids(world) == []

    play(tmp_path, workflow, story)


def test_what_expired_while_nothing_ran_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "a", "ok")
        await create(world, "b", "rest")
        world.crash()
        world.clock.advance(8 * DAY)
        world.boot()
        await world.advance(SECOND)

        assert ids(world) == ["b"]

    play(tmp_path, workflow, story)


def test_the_expiry_of_what_ended_before_a_crash_is_remembered(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "a", "ok")
        await world.advance(DAY)
        await world.crash_and_boot()
        await world.advance(5 * DAY)
        assert ids(world) == ["a"]
        await world.advance(DAY + MINUTE)

        assert ids(world) == []

    play(tmp_path, workflow, story)


def test_a_new_default_holds_for_what_ends_from_then_on(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "before", "ok")
        world.engine.define(configured(DAY, DAY))
        await create(world, "after", "ok")
        await world.advance(2 * DAY)

        assert ids(world) == ["before"]

    play(tmp_path, workflow, story)


def test_an_expired_id_is_free(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "a", "ok")
        await world.advance(8 * DAY)
        await create(world, "a", "again")

        assert world.output() == "again"

    play(tmp_path, workflow, story)


def test_many_expire_together_over_several_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "AT_ONCE", 10)

    async def story(world: World) -> None:
        for _ in range(35):
            await world.create(None, "ok")
        await world.advance(7 * DAY + MINUTE)

        assert ids(world) == []

    play(tmp_path, workflow, story)


def test_finished_instances_cost_one_alarm_whatever_their_number(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for _ in range(20):
            await world.create(None, "ok")
            await world.advance(MINUTE)

        assert world.clock.pending == 1

    play(tmp_path, workflow, story)


def test_a_disk_that_refuses_keeps_what_expires_until_it_can_be_deleted(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await create(world, "a", "ok")
        with world.disk.read_only():
            await world.advance(7 * DAY + MINUTE)
        assert ids(world) == ["a"]
        await world.advance(MINUTE)

        assert ids(world) == []

    play(tmp_path, workflow, story)
