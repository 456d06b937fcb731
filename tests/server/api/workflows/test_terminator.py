"""Terminating all instances of a workflow; the server is for these tests alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.server.api.serving import RUN, V4, Api


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    project = workflow_project(tmp_path_factory.mktemp("terminator") / "p", RUN)
    with DevServer(project) as server:
        yield Api(server, V4)


def test_all_that_has_not_ended_is_terminated_or_what_has_a_status(alone: Api) -> None:
    for number in range(130):  # more than one page
        alone.create(f"open-{number}", do="wait")
    alone.create("done")
    alone.until("done", "complete")
    alone.create("held", do="wait")
    alone.patch("held", {"status": "pause"})
    alone.until("held", "paused")
    path = "/flow/instances/terminate"

    assert alone.get(path) == {"status": "not_running"}
    assert alone.result("PUT", path, params={"status": "paused"}) == {"status": "ok"}
    counts = alone.get("/flow")["instances"]
    assert (counts["terminated"], counts["complete"], counts["paused"]) == (1, 1, 0)
    assert alone.result("PUT", path) == {"status": "ok"}
    counts = alone.get("/flow")["instances"]
    assert (counts["terminated"], counts["complete"]) == (131, 1)
    assert sum(counts.values()) == 132
    assert alone.error("PUT", path, params={"status": "complete"})[0] == 400
