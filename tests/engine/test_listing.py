"""Lists of instances, from a real journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.engine.journal import lists
from emulator.engine.journal.lists import Filter, Slice, Summary, unfinished_text
from emulator.engine.journal.reader import InstanceRow
from emulator.engine.model.instance import Status
from tests.engine.scripted import Step
from tests.engine.world import NAME, SECOND, World, play

Event = dict[str, Any]


async def fail_on_three(event: Event, step: Step) -> Any:
    if event["payload"] == 3:
        raise ValueError("three")
    return event["payload"]


async def five(world: World) -> int:
    """Create instances 1 to 5, a second apart; return when the first was created."""
    first_ms = world.clock.now_ms()
    for number in range(1, 6):
        await world.create(f"i{number}", number)
        await world.advance(SECOND)
    return first_ms


def ids(found: list[Summary]) -> list[str]:
    return [summary.id for summary in found]


def test_the_newest_come_first_page_by_page(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await five(world)
        everything = Filter(NAME)

        assert ids(lists.page(world.journal, everything, Slice(2))) == ["i5", "i4"]
        assert ids(lists.page(world.journal, everything, Slice(2, 4))) == ["i1"]
        assert lists.page(world.journal, everything, Slice(2, 6)) == []
        assert lists.count(world.journal, everything) == 5

    play(tmp_path, fail_on_three, story)


def test_a_cursor_goes_on_where_the_last_page_ended(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await five(world)
        first = lists.page(world.journal, Filter(NAME), Slice(2))
        await world.create("i6", 6)

        after = Slice(2, after=first[-1].key)
        assert ids(lists.page(world.journal, Filter(NAME), after)) == ["i3", "i2"]
        back = Slice(2, after=first[-1].key, ascending=True)
        assert ids(lists.page(world.journal, Filter(NAME), back)) == ["i5", "i6"]

    play(tmp_path, fail_on_three, story)


def test_status_and_creation_time_filter(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        first_ms = await five(world)
        errored = Filter(NAME, status="errored")
        middle = Filter(NAME, None, first_ms + SECOND, first_ms + 3 * SECOND)

        assert ids(lists.page(world.journal, errored, Slice(9))) == ["i3"]
        assert ids(lists.page(world.journal, middle, Slice(9))) == ["i4", "i3", "i2"]
        assert lists.count(world.journal, middle) == 3

    play(tmp_path, fail_on_three, story)


def test_every_status_is_counted_also_with_none(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await five(world)
        counts = lists.status_counts(world.journal, NAME)

        assert counts[Status.COMPLETE] == 4 and counts[Status.ERRORED] == 1
        assert counts[Status.PAUSED] == 0 and set(counts) == set(Status)

    play(tmp_path, fail_on_three, story)


def test_a_single_instance_has_its_times_and_its_trigger(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        first_ms = await five(world)
        found = lists.one(world.journal, NAME, "i1")

        assert found is not None
        assert found.created_ms == found.started_ms == found.ended_ms == first_ms
        assert found.trigger == "binding"
        assert lists.one(world.journal, NAME, "i9") is None
        assert lists.one(world.journal, "other", "i1") is None

    play(tmp_path, fail_on_three, story)


@pytest.mark.parametrize(
    ("statuses", "text"),
    [
        (["waiting"], "1 unfinished workflow instance"),
        (["paused"], "1 unfinished workflow instance, paused"),
        (["paused", "paused"], "2 unfinished workflow instances, all paused"),
        (["running", "paused", "queued"], "3 unfinished workflow instances, 1 of them paused"),
    ],
)
def test_a_start_tells_how_many_instances_there_are_and_not_what_becomes_of_them(
    statuses: list[str], text: str
) -> None:
    rows = [InstanceRow(n, "w", str(n), 0, Status(s), None, None) for n, s in enumerate(statuses)]

    assert unfinished_text(rows, {"w"}) == text


def test_instances_of_a_workflow_that_is_not_configured_are_told_apart() -> None:
    rows = [InstanceRow(n, "w", str(n), 0, Status("waiting"), None, None) for n in range(2)]

    assert unfinished_text(rows, {"other"}) == (
        '2 unfinished workflow instances\n  2 of the workflow "w", which this configuration or'
        " environment does not have: not started here, and kept"
    )
