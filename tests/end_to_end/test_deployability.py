"""A running worker warns, with the line, of what works here and breaks deployed."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

from emulator.guest.python.undeployed import GROUNDFOGS
from tests.end_to_end.projects import make_project
from tests.end_to_end.server import DevServer

WRANGLER = """
name = "deployability"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
rules = [{ type = "Text", globs = ["**/*.css"] }]
"""
ENTRY = """
import os, random, secrets, uuid
from pathlib import Path
import starlette.routing, simsimd
from workers import Response, WorkerEntrypoint

HERE = Path(__file__).parent
NAME, NUMBER, KEY = uuid.uuid4(), random.random(), secrets.token_hex()


class Default(WorkerEntrypoint):
    async def queue(self, batch):
        pass

    async def fetch(self, request):
        texts = [(HERE / name).read_text() for name in ("page.jinja", "style.css", "own.py")]
        texts.append((HERE.parent / "beside.json").read_text())
        random.random()
        return Response("".join(texts))
"""


def test_what_would_break_is_told_once_with_its_line(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", ENTRY, WRANGLER)
    (project / "pyproject.toml").write_text('[project]\ndependencies = ["fastapi"]\n')
    for name in ("src/page.jinja", "src/style.css", "src/own.py", "beside.json"):
        (project / name).write_text("# x")

    with DevServer(project) as server:
        assert server.get("/").text == "# x" * 4
        assert server.get("/").status_code == 200
        server.wait_for("beside.json is read")
        told = [line.partition("warning: ")[2] for line in server.lines if "warning: " in line]

    own = [line for line in told if line.startswith("src/")]
    assert [line.partition(": ")[0] + " " + " ".join(line.split()[1:3]) for line in own] == [
        "src/entry.py:4 simsimd is",
        "src/entry.py:8 uuid.uuid4() is",
        "src/entry.py:8 random.random() is",
        "src/entry.py:8 secrets.token_hex() is",
        "src/entry.py:12 Default.queue gets",
        "src/entry.py:16 src/page.jinja is",
        "src/entry.py:17 beside.json is",
    ]
    assert "which is here only because Groundfog needs it" in own[0]
    assert "it is outside of the folder of main, and not deployed" in own[6]


def test_the_packages_of_groundfog_are_those_that_it_needs() -> None:
    """The list is in the guest, which cannot read our metadata where it runs in another Python."""
    needed = {"groundfog"}
    for text in requires("groundfog") or []:
        if "extra ==" not in text:
            needed.add(re.split(r"[^\w.-]", text)[0].lower().replace("-", "_"))
    assert {name.removeprefix("google_") for name in needed} <= GROUNDFOGS
