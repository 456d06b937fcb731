"""Small TypeScript projects written for one test, and where their tools are."""

from __future__ import annotations

import textwrap
from pathlib import Path

import psutil

from tests.end_to_end.server import DevServer
from tests.end_to_end.wrangler import wrangler_folder

WRANGLER = """
name = "under-test"
main = "src/index.ts"
compatibility_date = "2026-08-01"

[[d1_databases]]
binding = "DB"
database_name = "db"
"""


def tools() -> str:
    """Return the folder with wrangler's packages, or skip the test."""
    return str(wrangler_folder())


def project(folder: Path, index: str, more: str = "", **files: str) -> Path:
    """Write a project: its main module, more configuration, and other files of `src`."""
    (folder / "src").mkdir(parents=True)
    (folder / "wrangler.toml").write_text(WRANGLER + textwrap.dedent(more))
    (folder / "src" / "index.ts").write_text(textwrap.dedent(index))
    for name, content in files.items():
        (folder / "src" / f"{name}.ts").write_text(textwrap.dedent(content))
    return folder


def dev(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> DevServer:
    """Return a server on a project, not yet waited for.

    A workerd that is replaced closes the connections that clients keep alive, so none is kept.
    """
    environment = {"GROUNDFOG_TOOLS": tools(), **(env or {})}
    return DevServer(folder, *arguments, env=environment, keep_alive=False)


def workerds(server: DevServer) -> list[psutil.Process]:
    """Return the workerd processes of a server, oldest first."""
    return [
        process
        for process in psutil.Process(server.pid).children()
        if process.name() == "workerd" and process.status() != psutil.STATUS_ZOMBIE
    ]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


FLOW = """
[[workflows]]
name = "flow"
binding = "FLOW"
class_name = "Flow"
"""
# Routes that every workflow test needs; `run` is what the test is about.
FLOWS = """
import {{ WorkflowEntrypoint }} from "cloudflare:workers";
import {{ NonRetryableError }} from "cloudflare:workflows";

export class Flow extends WorkflowEntrypoint<any, any> {{
  async ran(step: string): Promise<void> {{
    await this.env.DB.exec("CREATE TABLE IF NOT EXISTS ran (step TEXT)");
    await this.env.DB.prepare("INSERT INTO ran VALUES (?)").bind(step).run();
  }}
{run}
}}

export default {{
  async fetch(request: Request, env: any): Promise<Response> {{
    const [, route, id, more] = new URL(request.url).pathname.split("/");
    const body: any = request.method === "POST" ? await request.json() : undefined;
    if (route === "create") {{
      const instance = await env.FLOW.create({{ id, params: body }});
      return Response.json({{ id: instance.id }});
    }}
    if (route === "counts") {{
      await env.DB.exec("CREATE TABLE IF NOT EXISTS ran (step TEXT)");
      const found = await env.DB.prepare("SELECT step, count(*) AS n FROM ran GROUP BY step").all();
      return Response.json(Object.fromEntries(found.results.map((row: any) => [row.step, row.n])));
    }}
    if (route === "binding") return Response.json(await env.FLOW[id](body));
    const instance = await env.FLOW.get(id);
    if (route === "events") {{
      const types: string[] = [];
      using subscription = await instance.subscribe(body);
      for (;;) {{
        const {{ done, value }} = await subscription.next();
        if (done) return Response.json(types);
        types.push(value.stepName ? `${{value.type}} ${{value.stepName}}` : value.type);
      }}
    }}
    const given = route === "event" ? {{ type: more, payload: body }} : body;
    const method = route === "event" ? "sendEvent" : route;
    return Response.json((await instance[method](given)) ?? null);
  }},
}};
"""


def flow_project(folder: Path, run: str) -> Path:
    """Write a project with one workflow; `run` is its method and helpers."""
    return project(folder, FLOWS.format(run=textwrap.indent(textwrap.dedent(run), "  ")), FLOW)


def edit(folder: Path, before: str, after: str) -> None:
    """Save the main module with one text in place of another."""
    path = folder / "src" / "index.ts"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
