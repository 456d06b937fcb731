"""A worker whose package is missing: told at the start and in the error; sync mends it."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from tests.end_to_end.projects import edit, make_project
from tests.end_to_end.server import DevServer
from tests.packages.wheels import make_wheel
from tests.waiting import eventually

WRANGLER = """
name = "packages"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
"""
ENTRY = """
import fog_wanted
from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(f"{fog_wanted.VERSION}")
"""


def test_a_missing_package_is_told_with_the_command_that_installs_it(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", ENTRY, WRANGLER)
    venv.create(project / ".venv", symlinks=True)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "packages"\nversion = "1"\ndependencies = ["fog_wanted"]\n'
    )
    make_wheel(tmp_path / "wheels", "fog_wanted")
    python = project / ".venv/bin/python"

    with DevServer(project) as server:
        server.wait_for(
            f"pyproject.toml names fog-wanted, which {python} lacks. Run groundfog sync"
        )
        page = server.get("/").text
        assert f"The worker runs in {python}, which lacks 'fog_wanted'." in page
        assert "pyproject.toml names it: run `groundfog sync`." in page

        options = ("--no-index", "--find-links", str(tmp_path / "wheels"))
        command = [sys.executable, "-m", "groundfog", "sync", "--cwd", str(project), *options]
        subprocess.run(command, check=True)
        edit(project, "VERSION}", "VERSION} is there")
        eventually(lambda: server.get("/").text == "1.0 is there")
