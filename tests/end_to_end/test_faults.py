"""Faults that groundfog.toml declares, in a running server."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.cli.declared_faults import loading_with_faults
from emulator.config.load import load_config
from emulator.errors import UsageError
from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import workflow_project

FLOW = "async def run(self, event, step):\n    return 1\n"
FAULTS = """
[[faults]]
binding = "DB"
how = "fail"
nth = 2
error = "D1_ERROR: overloaded"

[[faults]]
binding = "{other}"
how = "delay"
delay = 1
"""


def test_the_second_call_of_a_database_fails_and_the_start_says_so(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", FLOW)
    (project / "groundfog.toml").write_text(FAULTS.format(other="DB"))

    server = serve(project)
    answers = [server.get("/counts") for _ in range(3)]

    server.wait_for(r"faults of groundfog\.toml are on: fail of call 2 of DB; delay of each call")
    (failed,) = [each for each in answers if each.status_code == 500]
    assert "D1_ERROR: overloaded" in failed.text


def test_a_fault_of_a_binding_that_is_not_there_is_refused(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", FLOW)
    (project / "groundfog.toml").write_text(FAULTS.format(other="DBB"))

    with pytest.raises(UsageError, match="a fault is for the binding DBB; there are: DB"):
        loading_with_faults(load_config(project, process_env={}))
