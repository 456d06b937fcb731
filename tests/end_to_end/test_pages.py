"""Groundfog's own pages, in a real browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.end_to_end.browser import opened_page
from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import WRANGLER as WITH_D1_AND_FLOW
from tests.end_to_end.projects import edit, make_project

WATCHED = """
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do("charge")
        async def charge():
            return "<b>12</b>"
        await charge()
        await step.sleep("rest", "1 day")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        db = self.env.DB
        await db.exec('CREATE TABLE "or""ders" (item)')
        await db.prepare('INSERT INTO "or""ders" VALUES (?)').bind('<i>lamp</i>').run()
        await self.env.AI.run("@cf/meta/llama-3.1-8b-instruct", {"prompt": "hi"})
        await self.env.FLOW.create({"id": "order-1", "params": {"item": "lamp"}})
        return Response("made")
"""
ALL = (
    WITH_D1_AND_FLOW
    + """
[ai]
binding = "AI"
"""
)
WRANGLER = """
name = "under-test"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
"""
RAISES = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        hostile = "<img src=x onerror=\\"document.title='taken'\\">"
        raise ValueError(hostile)
"""


def test_an_error_page_shows_copies_and_goes_when_the_code_is_mended(
    tmp_path: Path, serve: Serve
) -> None:
    project = make_project(tmp_path / "p", RAISES, WRANGLER)
    server = serve(project)
    with opened_page() as page:
        page.goto(f"{server.url}/orders?q=<b>")
        expect(page.locator("h1")).to_contain_text("ValueError: <img src=x")
        expect(page.locator("mark")).to_contain_text("raise ValueError(hostile)")
        link = page.get_by_role("link", name="src/entry.py:7")
        assert link.get_attribute("href") == f"vscode://file{project / 'src/entry.py'}:7"
        page.get_by_text("Request", exact=True).click()
        expect(page.locator("details pre")).to_contain_text("GET /orders?q=%3Cb%3E")
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert "in fetch" in page.evaluate("navigator.clipboard.readText()")
        assert page.title().startswith("ValueError") and page.locator("img").count() == 0

        edit(project, "raise ValueError(hostile)", "return Response('mended')")

        expect(page.locator("body")).to_have_text("mended")


def test_the_local_page_shows_instances_with_their_steps_tables_and_calls(
    tmp_path: Path, serve: Serve
) -> None:
    project = make_project(tmp_path / "p", WATCHED, ALL)
    (project / ".dev.vars").write_text("KEY=secret-value\n")
    server = serve(project)
    with opened_page() as page:
        page.goto(f"{server.url}/cdn-cgi/groundfog")
        expect(page.get_by_role("heading", name="under-test")).to_be_visible()
        expect(page.locator("#instances")).to_have_text("There are no instances yet.")
        expect(page.locator("#bindings")).to_contain_text("env.FLOW")
        expect(page.locator("#bindings")).to_contain_text("(hidden)")
        assert "secret-value" not in page.content()

        assert server.get("/").text == "made"

        page.get_by_role("button", name="order-1").click()
        expect(page.locator("#h-instance")).to_have_text("flow / order-1: waiting")
        charge = page.locator("#steps tr", has_text="charge-1")
        expect(charge).to_contain_text("<b>12</b>")
        expect(charge.locator(".done")).to_be_visible()
        expect(page.locator("#steps tr", has_text="rest-1")).to_contain_text("waiting")
        page.get_by_role("button", name='or"ders').click()
        expect(page.locator("#rows")).to_contain_text("<i>lamp</i>")
        expect(page.locator("#calls")).to_contain_text("llama-3.1-8b-instruct")
        expect(page.locator("#state")).to_have_text("")

        server.post("/cdn-cgi/groundfog/workflows/flow/instances/order-1/skip")

        expect(page.locator("#h-instance")).to_have_text("flow / order-1: complete")
