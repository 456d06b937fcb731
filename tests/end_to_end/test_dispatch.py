"""Workers that are found by name, from Python and from TypeScript."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.project import Project
from tests.end_to_end.server import DevServer
from tests.typescript.projects import project, tools

NAMESPACE = '\n[[dispatch_namespaces]]\nbinding = "DISPATCHER"\nnamespace = "customers"\n'
HEAD = """\
name = "{name}"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
"""
DISPATCHER = """
from urllib.parse import urlsplit
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        name = urlsplit(request.url).path.split("/")[1]
        try:
            if "add" in request.url:
                return Response(str(await self.env.DISPATCHER.get(name).add(1, 2)))
            return await self.env.DISPATCHER.get(name).fetch(request)
        except Exception as error:
            return Response(str(error), status=404)
"""
DISPATCHER_TS = """
export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const name = new URL(request.url).pathname.split("/")[1];
    try {
      const worker = env.DISPATCHER.get(name);
      if (request.url.includes("add")) return new Response(String(await worker.add(1, 2)));
      return await worker.fetch(request);
    } catch (error: any) {
      return new Response(`${error.name}: ${error.message}`, { status: 404 });
    }
  },
};
"""
CUSTOMER = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(f"{request.method} {request.url} {await request.text()}", status=203)

    def add(self, a, b):
        return a + b
"""


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_worker_is_found_by_its_name(tmp_path: Path, language: str) -> None:
    first, second = tmp_path / "dispatcher", tmp_path / "customer"
    if language == "python":
        made = Project(first)
        made.toml(NAMESPACE, head=HEAD.format(name="dispatcher"))
        made.write("src/entry.py", DISPATCHER)
    else:
        project(first, DISPATCHER_TS, NAMESPACE)
    other = Project(second)
    other.toml(head=HEAD.format(name="customer-1"))
    other.write("src/entry.py", CUSTOMER)
    environment = {"GROUNDFOG_TOOLS": tools()} if language == "typescript" else {}
    with DevServer(first, str(second), env=environment, keep_alive=language == "python") as server:
        answer = server.post("/customer-1/a?b=1", content="tea")
        assert answer.status_code == 203
        assert answer.text.startswith("POST http://") and answer.text.endswith(
            "/customer-1/a?b=1 tea"
        )
        assert server.get("/customer-1/add").text == "3"
        for path in ("/nobody", "/nobody/add"):
            gone = server.get(path)
            assert (gone.status_code, gone.text) == (404, "Error: Worker not found.")


def test_an_outbound_worker_is_a_warning(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.toml(f'{NAMESPACE}outbound = {{ service = "out" }}\n')
    assert any("outbound is not emulated" in warning for warning in made.warnings())
    made.toml('[[dispatch_namespaces]]\nbinding = "D"\n')
    assert "has no namespace" in made.problem()
