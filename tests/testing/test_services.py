"""Several workers in one test, which call each other."""

from __future__ import annotations

import asyncio
from pathlib import Path

from groundfog.testing import Groundfog
from tests.end_to_end.projects import FIXTURES, make_project
from tests.end_to_end.test_services import CONFIG, ENTRY, FOREIGN, OTHER, OTHER_ENTRY


def projects(folder: Path) -> tuple[Path, Path]:
    foreign = FOREIGN.format(binding="JOBS", name="jobs", script="other")
    return (
        make_project(folder / "self", ENTRY, CONFIG + foreign),
        make_project(folder / "other", OTHER_ENTRY, OTHER),
    )


def test_workers_of_a_group_call_each_other(groundfog: Groundfog, tmp_path: Path) -> None:
    with groundfog.workers(*projects(tmp_path)) as (first, other):
        assert first.fetch("/env.GONE.add(1)").text == "1002"
        assert first.env.GONE.add(1, 2) == 1003
        assert first.fetch("/env.GONE.apply(lambda x: x + 1)").text == "6"
        first.env.JOBS.create({"id": "a", "params": {"n": 4}})
        job = other.introspect_workflow_instance("JOBS", "a")
        job.send_event("go", "on")
        assert job.result() == [8, "on"]
        other.reset()
        assert first.env.GONE.add(1) == 1002


def test_a_worker_alone_calls_no_other(groundfog: Groundfog, tmp_path: Path) -> None:
    first, other = projects(tmp_path)
    with groundfog.worker(first) as alone, groundfog.worker(other):
        assert "find a local dev session" in alone.fetch("/env.GONE.add(1)").text


async def _total(groundfog: Groundfog) -> str:
    async with groundfog.async_workers(FIXTURES / "services" / "shop") as (shop,):
        return str((await shop.fetch("/price?article=tea")).text)


def test_they_open_on_an_event_loop_too(groundfog: Groundfog) -> None:
    assert asyncio.run(_total(groundfog)) == '{"total": 5, "currency": "EUR"}'
