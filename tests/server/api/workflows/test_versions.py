"""Versions of the code, and which one an instance began on, over reloads and restarts."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.projects import edit, workflow_project
from tests.end_to_end.server import DevServer
from tests.server.api.serving import RUN, V4, Api
from tests.waiting import eventually


def versions(api: Api) -> list[str]:
    """The ids of all versions, the newest first."""
    return [version["id"] for version in api.get("/flow/versions")]


def test_each_version_of_the_code_has_its_id_over_reloads_and_restarts(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    with DevServer(project) as server:
        api = Api(server, V4)
        api.create("old", do="wait")
        api.until("old", "waiting")
        (first,) = versions(api)
        edit(project, "hello ", "goodbye ", "src/entry.py")
        eventually(lambda: len(versions(api)) == 2)
        second = versions(api)[0]
        api.create("new")

        assert versions(api) == [second, first]
        assert api.detail("new")["versionId"] == second
        assert api.detail("old")["versionId"] == first

    edit(project, "goodbye ", "hello ", "src/entry.py")
    with DevServer(project) as server:
        api = Api(server, V4)
        api.create("again")
        assert versions(api) == [second, first]
        assert api.detail("again")["versionId"] == first
