"""One running server for the tests of a module, and a project without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.workflows.command import Command
from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.server.api.serving import RUN


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """`groundfog dev` on a workflow whose params say what it does."""
    with DevServer(workflow_project(tmp_path_factory.mktemp("cli") / "p", RUN)) as server:
        yield server


@pytest.fixture
def workflows(server: DevServer) -> Command:
    """The commands, while the server runs."""
    return Command(server.project)


@pytest.fixture
def offline(tmp_path: Path) -> Command:
    """The commands on a project that has never been run."""
    return Command(workflow_project(tmp_path / "p", RUN))
