"""Small worker projects written for one test, and copies of the sample."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures"

WRANGLER = """
name = "under-test"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[[workflows]]
name = "flow"
binding = "FLOW"
class_name = "Flow"

[[d1_databases]]
binding = "DB"
database_name = "db"
database_id = "db"
"""

# Routes that every workflow test needs; `run` is what the test is about.
ENTRY = """
import json
from urllib.parse import urlparse, parse_qs
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint
from workers.workflows import NonRetryableError


class Flow(WorkflowEntrypoint):
{run}


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlparse(request.url)
        parts = url.path.strip("/").split("/")
        if parts[0] == "create":
            body = await request.text()
            options = json.loads(body) if body else {{}}
            instance = await self.env.FLOW.create(options)
            return Response.json({{"id": instance.id}})
        if parts[0] == "counts":
            await self.env.DB.exec("CREATE TABLE IF NOT EXISTS ran (step TEXT)")
            rows = await self.env.DB.prepare(
                "SELECT step, count(*) AS n FROM ran GROUP BY step"
            ).all()
            return Response.json({{row.step: row.n for row in rows.results}})
        if parts[0] == "status":
            instance = await self.env.FLOW.get(parts[1])
            return Response.json(await instance.status())
        if parts[0] in ("pause", "resume", "terminate", "restart"):
            instance = await self.env.FLOW.get(parts[1])
            options = {{"rollback": True}} if "rollback" in url.query else {{}}
            await getattr(instance, parts[0])(**options)
            return Response.json({{}})
        if parts[0] == "event":
            instance = await self.env.FLOW.get(parts[1])
            await instance.send_event({{"type": parts[2], "payload": await request.json()}})
            return Response.json({{}})
        return Response("hello")
"""

# What a step does to be counted: once per execution of its body, in D1.
COUNTED = """
    async def ran(self, step):
        await self.env.DB.exec("CREATE TABLE IF NOT EXISTS ran (step TEXT)")
        await self.env.DB.prepare("INSERT INTO ran VALUES (?)").bind(step).run()

"""


def make_project(folder: Path, entry: str, wrangler: str = WRANGLER) -> Path:
    """Write a project with this `src/entry.py` and `wrangler.toml`; return its folder."""
    (folder / "src").mkdir(parents=True)
    (folder / "wrangler.toml").write_text(wrangler, encoding="utf-8")
    (folder / "src" / "entry.py").write_text(entry, encoding="utf-8")
    return folder


def workflow_entry(run: str) -> str:
    """Return an entry.py whose workflow has this `run` method (and `self.ran(step)` to count)."""
    return ENTRY.format(run=COUNTED + textwrap.indent(textwrap.dedent(run).strip("\n"), "    "))


def workflow_project(folder: Path, run: str) -> Path:
    """Write a project around one workflow; return its folder."""
    return make_project(folder, workflow_entry(run))


def edit(project: Path, old: str, new: str, file: str = "src/entry.py") -> None:
    """Replace text in a file of the project, as an editor does: write aside, then rename."""
    path = project / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {file}"
    aside = path.with_suffix(".new~")
    aside.write_text(text.replace(old, new), encoding="utf-8")
    aside.replace(path)


def copy_sample(folder: Path) -> Path:
    """Copy the sample project without any state; return the copy."""
    ignored = shutil.ignore_patterns(".groundfog", "__pycache__", ".wrangler")
    return Path(shutil.copytree(FIXTURES / "brief-analysis", folder / "brief", ignore=ignored))
