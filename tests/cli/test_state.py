"""`groundfog state`, and where a server keeps its state."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.in_process import groundfog
from tests.end_to_end.projects import WRANGLER, make_project, workflow_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.test_bad_input import refused
from tests.end_to_end.test_workflows import SEQUENCE, create, wait_for_status

HELLO = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(f"{self.env.WHO} {self.env.MODE}")
"""
VARS = """
[vars]
WHO = "top"
MODE = "top"

[env.staging.vars]
WHO = "staging"
MODE = "staging"
"""


def test_the_path_is_beside_the_configuration_and_persist_to_moves_it(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", HELLO)

    assert groundfog(project, "state", "path").stdout.strip() == str(project / ".groundfog")
    moved = groundfog(project, "state", "path", "--persist-to", "elsewhere").stdout.strip()
    assert moved == str(project / "elsewhere")


@pytest.mark.parametrize("main", ["", 'main = "src/not_yet.py"', 'main = "src"'])
def test_commands_about_the_state_need_no_code(tmp_path: Path, main: str) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_init.sql").write_text("CREATE TABLE t(a)")
    wrangler = WRANGLER.replace('main = "src/entry.py"', main)
    (tmp_path / "wrangler.toml").write_text(wrangler, encoding="utf-8")

    for command in (
        ["d1", "migrations", "apply", "DB"],
        ["d1", "execute", "DB", "--command", "SELECT a FROM t"],
        ["workflows", "trigger", "flow"],
        ["vectorize", "create", "index", "--dimensions", "3", "--metric", "cosine"],
        ["ai", "rules"],
        ["state", "path"],
    ):
        groundfog(tmp_path, *command)
    assert "main" in groundfog(tmp_path, "workflows", "check", code=1).stderr


def test_reset_forgets_instances_and_databases(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", SEQUENCE)
    with DevServer(project) as server:
        create(server, "one", {"n": 1})
        wait_for_status(server, "one", "complete")
    keep = project / ".groundfog" / "mine.txt"
    keep.write_text("not ours")

    result = groundfog(project, "state", "reset", "--yes")

    assert "journal.sqlite" in result.stdout
    assert keep.exists()
    with DevServer(project) as server:
        assert "instance.not_found" in server.get("/status/one").text
        assert server.get("/counts").json() == {}


def test_reset_is_refused_while_a_server_uses_the_state(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", SEQUENCE)
    with DevServer(project) as server:
        create(server, "one", {"n": 1})

        result = groundfog(project, "state", "reset", "--yes", code=1)

        assert f"pid {server.pid}" in result.stderr
        wait_for_status(server, "one", "complete")


def test_reset_asks_before_it_deletes(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", HELLO)
    journal = project / ".groundfog" / "journal.sqlite"
    journal.parent.mkdir()
    journal.touch()

    groundfog(project, "state", "reset", code=1, text="n\n")

    assert journal.exists()


def test_a_server_with_persist_to_keeps_everything_there(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", SEQUENCE)
    elsewhere = tmp_path / "elsewhere"

    with DevServer(project, "--persist-to", str(elsewhere)) as server:
        create(server, "one", {"n": 1})
        wait_for_status(server, "one", "complete")

    assert (elsewhere / "journal.sqlite").exists()
    assert not (project / ".groundfog").exists()


def test_environment_config_and_var_choose_what_the_worker_sees(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", HELLO, WRANGLER.split("[[workflows]]")[0] + VARS)
    other = project / "other.toml"
    other.write_text((project / "wrangler.toml").read_text().replace('"top"', '"other"'))

    with DevServer(project, "--env", "staging", "--var", "MODE:flag") as server:
        assert server.get("/").text == "staging flag"
    with DevServer(project, "--config", "other.toml") as server:
        assert server.get("/").text == "other other"


def test_a_dotenv_file_overrides_and_dev_vars_silences_dotenv(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", HELLO, WRANGLER.split("[[workflows]]")[0] + VARS)
    (project / ".env").write_text("WHO=dotenv\n")
    with DevServer(project) as server:
        assert server.get("/").text == "dotenv top"
    (project / ".dev.vars").write_text("MODE=secret\n")
    with DevServer(project) as server:
        assert server.get("/").text == "top secret"


def test_an_unknown_environment_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", HELLO, WRANGLER.split("[[workflows]]")[0] + VARS)

    message = refused("--env", "prod", "--port", "0", cwd=project)

    assert "prod" in message and "staging" in message
