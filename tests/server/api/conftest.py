"""The server that the tests of one module share; each test uses instances of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.server.api.serving import EXPLORER, RUN, V4, Api


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """`groundfog dev` on a workflow whose params say what it does."""
    project = workflow_project(tmp_path_factory.mktemp("api") / "p", RUN)
    with DevServer(project) as server:
        yield server


@pytest.fixture
def v4(server: DevServer) -> Api:
    """Production's base."""
    return Api(server, V4)


@pytest.fixture
def explorer(server: DevServer) -> Api:
    """The base that `wrangler workflows … --local` uses."""
    return Api(server, EXPLORER)


@pytest.fixture(params=[V4, EXPLORER], ids=["v4", "explorer"])
def api(server: DevServer, request: pytest.FixtureRequest) -> Api:
    """Both bases, one after the other."""
    return Api(server, request.param)
