"""`[clock]` in groundfog.toml."""

from __future__ import annotations

import pytest

from emulator.config.model import ClockSettings
from tests.config.project import Project

NINE = 1_767_258_000_000  # 2026-01-01T09:00:00Z


def clock(project: Project, text: str) -> ClockSettings:
    project.toml("")
    project.write("groundfog.toml", f"[clock]\n{text}\n")
    return project.load().settings.clock


@pytest.mark.parametrize(
    "start",
    [
        "2026-01-01T09:00:00Z",
        '"2026-01-01T09:00:00Z"',
        "2026-01-01 09:00:00",
        "2026-01-01T10:00:00+01:00",
    ],
)
def test_a_virtual_clock_starts_at_a_time(project: Project, start: str) -> None:
    read = clock(project, f'mode = "virtual"\nstart = {start}\ngrace = "1 second"')

    assert read == ClockSettings("virtual", NINE, 1_000)


def test_a_date_is_its_midnight(project: Project) -> None:
    assert clock(project, "start = 2026-01-01").start_ms == NINE - 9 * 3_600_000


@pytest.mark.parametrize("start", ["20260101", '"soon"', "true", "10:00:00", '"1969-12-31"'])
def test_a_value_that_is_not_a_time_is_refused(project: Project, start: str) -> None:
    project.toml("")
    project.write("groundfog.toml", f"[clock]\nstart = {start}\n")

    assert "groundfog.toml:2: clock.start is " in project.problem()
    assert "expected a time from 1970 on" in project.problem()


def test_an_unknown_mode_is_refused(project: Project) -> None:
    project.toml("")
    project.write("groundfog.toml", '[clock]\nmode = "frozen"\n')

    assert 'clock.mode is "frozen"; expected "real" or "virtual"' in project.problem()
