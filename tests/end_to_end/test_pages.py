"""Groundfog's own pages, in a real browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.end_to_end.browser import opened_page
from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import edit, make_project

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
