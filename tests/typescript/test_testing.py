"""TypeScript workers under test: the same object as for Python, another kind of guest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from groundfog.testing import Groundfog, RefusedError, StuckError
from tests.typescript.projects import project, tools

INDEX = """
import { WorkflowEntrypoint } from "cloudflare:workers";

export class Orders extends WorkflowEntrypoint<any> {
  async run(event: any, step: any) {
    const receipt = await step.do("charge", async () => ({ charged: true }));
    await step.sleep("rest", "30 days");
    const approval = await step.waitForEvent("wait for approval", { type: "approved" });
    return { by: approval.payload.by, ...receipt };
  }
}

export default {
  async fetch(request: Request, env: any) {
    const { pathname } = new URL(request.url);
    if (pathname === "/boom") throw new Error("boom");
    if (pathname === "/network") {
      try {
        return await fetch("http://127.0.0.1:9/");
      } catch (error) {
        return new Response(String(error), { status: 502 });
      }
    }
    if (request.method === "POST") {
      const instance = await env.ORDERS.create({ id: "order-1" });
      return Response.json({ id: instance.id }, { status: 202 });
    }
    const { results } = await env.DB.prepare("SELECT 1 AS one").all();
    return Response.json(results);
  },
};
"""
WORKFLOWS = """
[[workflows]]
binding = "ORDERS"
name = "orders"
class_name = "Orders"
"""


def test_a_typescript_worker_is_tested_like_one_in_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDFOG_TOOLS", tools())
    folder = project(tmp_path / "p", INDEX, WORKFLOWS)

    with Groundfog() as groundfog, groundfog.worker(folder) as worker:
        assert worker.get("/").json() == [{"one": 1}]
        assert worker.env.DB.prepare("SELECT 2 AS two").first("two") == 2
        assert "boom" in worker.get("/boom", raise_worker_errors=False).text
        assert worker.get("/network").status_code == 502
        assert worker.post("/").json() == {"id": "order-1"}
        order = worker.introspect_workflow_instance("ORDERS", "order-1")
        with pytest.raises(StuckError, match='waits for the event "approved"'):
            order.result()
        order.send_event("approved", {"by": "ada"})
        assert order.result() == {"by": "ada", "charged": True}

        worker.reset()
        with worker.introspect_workflow("ORDERS") as orders:
            orders.mock_step_error("charge", "busy", times=1)
            orders.mock_event("approved", {"by": "bob"})
            worker.env.ORDERS.create({"id": "a"})
            assert orders.one().result() == {"by": "bob", "charged": True}
            assert len(orders.one().step("charge").attempts) == 2
        with pytest.raises(RefusedError, match="worker.outbound is for Python workers only"):
            worker.outbound.get("https://bank.example/")


def test_it_is_awaited_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDFOG_TOOLS", tools())
    folder = project(tmp_path / "p", INDEX, WORKFLOWS)

    async def scenario(groundfog: Groundfog) -> None:
        async with groundfog.async_worker(folder) as worker:
            both = await asyncio.gather(worker.get("/"), worker.get("/"))
            assert [each.json() for each in both] == [[{"one": 1}]] * 2

    with Groundfog() as groundfog:
        asyncio.run(scenario(groundfog))
