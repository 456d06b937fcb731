"""What the settings of a project come to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from emulator import worker
from emulator.clock import SystemClock, VirtualClock
from emulator.config.model import Bound, ClockSettings, Config, Settings
from emulator.engine.creation_limits import Limits
from emulator.engine.model.definition import Definition
from emulator.kinds.workflow import Workflow
from emulator.state import State
from tests.config.project import Project

WORKFLOW = '[[workflows]]\nbinding = "FLOW"\nname = "flow"\nclass_name = "Flow"\n'


def config(folder: Path, settings: Settings) -> Config:
    path = folder / "wrangler.toml"
    return Config(path, folder, "app", folder / "entry.py", "2026-01-01", settings=settings)


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("process", 1)])
def test_durability_is_how_sqlite_synchronises_the_journal(
    tmp_path: Path, durability: Literal["full", "process"], synchronous: int
) -> None:
    project = config(tmp_path, Settings(durability=durability))

    journal = worker.Worker(project, State(tmp_path), SystemClock()).engine.journal

    assert journal.query("PRAGMA synchronous") == [(synchronous,)]
    assert journal.query("PRAGMA journal_mode") == [("wal",)]
    journal.close()


@pytest.mark.parametrize(("configured", "enforced"), [(None, 10_000), (25_000, 25_000), (7, 7)])
def test_a_workflow_may_have_productions_number_of_steps_or_its_own(
    tmp_path: Path, configured: int | None, enforced: int
) -> None:
    project = Project(tmp_path)
    limits = "" if configured is None else f"limits = {{ steps = {configured} }}\n"
    project.toml(f"{WORKFLOW}{limits}")

    (definition,) = worker.definitions(project.load())

    assert definition.step_limit == enforced


@pytest.mark.parametrize("limit", [None, 10])
def test_the_engine_is_told_how_many_instances_of_a_workflow_may_run(
    tmp_path: Path, limit: int | None
) -> None:
    workflow = Workflow(Definition("orders", "Orders", concurrency=limit))
    bound = Bound("ORDERS", "workflow", workflow)

    (definition,) = worker.definitions(replace(config(tmp_path, Settings()), bindings=(bound,)))

    assert definition.concurrency == limit


def test_by_default_the_queue_and_the_places_are_productions(tmp_path: Path) -> None:
    project = config(tmp_path, Settings())

    assert worker.limits(project) == Limits(queued=2_000_000, creation_rate=None)
    assert project.settings.concurrency == 50_000


class TestClock:
    def test_it_is_real_unless_asked(self, tmp_path: Path) -> None:
        real = SystemClock()

        assert worker.open_clock(config(tmp_path, Settings()), State(tmp_path), real) is real

    def test_a_virtual_one_begins_where_it_was_left_and_not_at_its_start(
        self, tmp_path: Path
    ) -> None:
        state = State(tmp_path)
        project = config(tmp_path, Settings(clock=ClockSettings("virtual", 1_000)))
        assert worker.open_clock(project, state, SystemClock()).now_ms() == 1_000

        state.write_clock({"now_ms": 5_000})

        assert worker.open_clock(project, state, SystemClock()).now_ms() == 5_000

    def test_one_that_ran_goes_on_running(self, tmp_path: Path) -> None:
        state = State(tmp_path)
        project = config(tmp_path, replace(Settings(), clock=ClockSettings("virtual")))
        state.write_clock({"ahead_ms": 86_400_000})
        wall_s = 1_000

        real = SystemClock(lambda: wall_s * 1_000_000_000, lambda: wall_s * 1_000_000_000)
        clock = worker.open_clock(project, state, real)

        assert isinstance(clock, VirtualClock) and clock.ahead_ms == 86_400_000
        wall_s += 5
        assert clock.now_ms() == 1_005_000 + 86_400_000
