"""A new kind of binding is a module for each side and a line in the list, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.server import DevServer

IMPORT = "from emulator.kinds.kind import"
ROOT = Path(__file__).parents[2]

BINDING = """
class Artifacts:
    kind = "artifacts"

    def __init__(self, path):
        self._path = path

    async def call(self, method, args):
        if method == "put":
            self._path.mkdir(parents=True, exist_ok=True)
            (self._path / args[0]).write_text(args[1])
            return None
        return (self._path / args[0]).read_text()

    async def close(self):
        pass
"""

KIND = """
from dataclasses import dataclass

from emulator.config.model import Bound
from emulator.kinds.kind import Kind


@dataclass(frozen=True)
class Namespace:
    id: str


def read(section):
    found = []
    for item in section.items('with binding = "REPOS" and namespace = "1" below it.'):
        name = section.name(item, "REPOS")
        if name:
            found.append(Bound(name, "artifacts", Namespace(item.string("namespace") or name)))
    return found


def open_namespace(namespace, places):
    from bindings.artifacts.artifacts import Artifacts

    return Artifacts(places.state.directory / "artifacts" / namespace.id)


def routes(worker):
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    names = [bound.name for bound in worker.config.bound(Namespace)]
    answer = lambda request: PlainTextResponse(" ".join(names))
    return [Route("/cdn-cgi/groundfog/artifacts", answer)]


def settings(table, process_env):
    return table.boolean("strict")


KIND = Kind(
    name="artifacts",
    section="artifacts",
    friendly="Artifacts",
    keys=frozenset({"binding", "namespace"}),
    read=read,
    open=open_namespace,
    shown=lambda namespace: namespace.id,
    settings="artifacts",
    read_settings=settings,
    files=("artifacts",),
    commands="emulator.cli.clock:clock",
    routes="emulator.kinds.artifacts:routes",
)
"""

CLIENT = """
from .binding import _BindingWrapper


class Repositories(_BindingWrapper):
    def put(self, key, value):
        return self._call("put", key, value)

    def get(self, key):
        return self._call("get", key)


CLIENT = Repositories
"""

WORKER = """
from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        await self.env.REPOS.put("greeting", "hello")
        return Response(await self.env.REPOS.get("greeting"))
"""

CONFIGURATION = """
name = "app"
main = "entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[[artifacts]]
binding = "REPOS"
namespace = "one"
"""


def copy_with_artifacts(tree: Path) -> None:
    """Copy our packages to `tree` and add a kind there, as one would add it here."""
    for package in ("emulator", "bindings", "groundfog"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tree / package, ignore=ignored)
    write(tree / "bindings/artifacts/__init__.py", "")
    write(tree / "bindings/artifacts/artifacts.py", BINDING)
    write(tree / "emulator/kinds/artifacts.py", KIND)
    write(tree / "emulator/guest/python/clients/artifacts.py", CLIENT)
    listed = tree / "emulator/kinds/registry.py"
    text = listed.read_text(encoding="utf-8")
    added = text.replace(IMPORT, f"from emulator.kinds import artifacts\n{IMPORT}").replace(
        "    d1.KIND,\n", "    d1.KIND,\n    artifacts.KIND,\n"
    )
    listed.write_text(added, encoding="utf-8")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_worker_calls_a_kind_that_was_added_by_its_modules_and_a_line(tmp_path: Path) -> None:
    tree, project = tmp_path / "tree", tmp_path / "project"
    copy_with_artifacts(tree)
    write(project / "wrangler.toml", CONFIGURATION)
    write(project / "groundfog.toml", "[artifacts]\nstrict = true\n")
    write(project / "entry.py", WORKER)

    with DevServer(project, cwd=tree) as server:
        assert "env.REPOS   Artifacts   one" in server.output
        assert "not emulated" not in server.output
        assert server.client.get(server.url).text == "hello"
        assert server.client.get(f"{server.url}/cdn-cgi/groundfog/artifacts").text == "REPOS"

    assert (project / ".groundfog" / "artifacts" / "one" / "greeting").read_text() == "hello"
    reset = groundfog(tree, "state", "reset", "--yes", "--cwd", str(project))
    assert reset.startswith("Deleted journal.sqlite, artifacts in ")
    assert "  artifacts  " in groundfog(tree, "--help")


def groundfog(tree: Path, *arguments: str) -> str:
    """Run a command of the copy; return what it printed."""
    command = [sys.executable, "-m", "groundfog", *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout
