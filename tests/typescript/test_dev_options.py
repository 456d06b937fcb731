"""Options of `groundfog dev` that people know from wrangler, for a worker in workerd."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.end_to_end.browser import opened_page
from tests.end_to_end.projects import edit
from tests.typescript.projects import dev, project

INDEX = """
const HTML = { "content-type": "text/html; charset=utf-8" };

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/page") return new Response("<p>one</p>", { headers: HTML });
    if (pathname === "/echo") return new Response(request.body);
    return Response.json([request.url, request.headers.get("host"), request.cf !== undefined]);
  },
  async scheduled(controller: ScheduledController) {
    console.log(`called for ${controller.cron}`);
  },
};
"""


def test_the_host_of_a_route_cron_by_hand_and_pages_that_load_again(tmp_path: Path) -> None:
    made = project(tmp_path / "p", INDEX)
    options = "--routes https://*.shop.example/api/* --test-scheduled --live-reload".split()
    with dev(made, *options) as server, opened_page() as page:
        port = server.url.rpartition(":")[2]
        assert server.get("/x?y=1").json() == ["http://shop.example/x?y=1", "shop.example", True]
        pieces = iter([b"a", b"b"])  # of no known length
        assert server.post("/echo", content=pieces).text == "ab"
        assert server.get("/__scheduled?cron=*+*+*+*+*").status_code == 200
        server.wait_for(r"called for \* \* \* \* \*")
        assert server.get("/page").text == "<p>one</p>"  # not by a browser

        page.goto(f"http://localhost:{port}/page")
        expect(page.locator("p")).to_have_text("one")
        edit(made, "<p>one</p>", "<p>two</p>", "src/index.ts")
        expect(page.locator("p")).to_have_text("two")
        edit(made, "<p>two</p>", "<p>", "src/index.ts")
        edit(made, '"<p>"', "", "src/index.ts")  # it does not build
        expect(page.locator("body")).to_contain_text("src/index.ts")
        edit(made, "new Response(,", 'new Response("<p>three</p>",', "src/index.ts")
        expect(page.get_by_text("three", exact=True)).to_be_visible()
