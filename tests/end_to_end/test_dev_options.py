"""Options of `groundfog dev` that people know from wrangler."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from emulator.cli.dev import spread
from emulator.cli.dev_arguments import host_of_route
from emulator.cli.main import cli
from tests.end_to_end.browser import opened_page
from tests.end_to_end.projects import edit
from tests.end_to_end.server import DevServer

SCRIPT = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if "/page" in request.url:
            return Response("<p>one</p>", headers={"content-type": "text/html"})
        told = [request.url, request.headers["host"], self.env.A, self.env.B]
        return Response(" ".join(told))

    async def scheduled(self, controller, env, ctx):
        print(f"called for {controller.cron}")
"""


def test_a_script_without_a_configuration_runs_with_all_that_is_typed(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "worker.py").write_text(SCRIPT)
    words = "--cwd . --local --profile me --var A:1 B:2 --compatibility-date 2026-04-01"
    words += " --compatibility-flags python_workers --routes shop.example/*"
    words += " --name other --test-scheduled=true"
    server = DevServer(Path("src/worker.py"), *words.split(), "--live-reload", cwd=tmp_path)
    with server, opened_page() as page:
        assert "Groundfog runs other " in server.output
        port = server.url.rpartition(":")[2]
        assert server.get("/x").text == "http://shop.example/x shop.example 1 2"
        assert server.get("/__scheduled?cron=*+*+*+*+*").status_code == 200
        server.wait_for(r"called for \* \* \* \* \*")

        page.goto(f"http://localhost:{port}/page")
        expect(page.locator("p")).to_have_text("one")
        edit(tmp_path, "<p>one</p>", "<p>two</p>", "src/worker.py")
        expect(page.locator("p")).to_have_text("two")


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("--var A:1 B:2 --port 3", "--var A:1 --var B:2 --port 3"),
        ("--var A:1 src", "--var A:1 src"),
        ("src --var A:1", "src --var A:1"),
        (
            "--routes x.example/* y.example/a src/x.py",
            "--routes x.example/* --routes y.example/a src/x.py",
        ),
        (
            "--compatibility-flags a_b c_d ./p",
            "--compatibility-flags a_b --compatibility-flags c_d ./p",
        ),
        ("--port 3 A:1", "--port 3 A:1"),
    ],
)
def test_several_values_may_follow_one_option(typed: str, read: str) -> None:
    assert " ".join(spread(typed.split())) == read


@pytest.mark.parametrize(
    ("route", "host"),
    [
        ("shop.example/*", "shop.example"),
        ("https://*.shop.example/api/*", "shop.example"),
        ("*shop.example/", "shop.example"),
    ],
)
def test_the_host_of_a_route(route: str, host: str) -> None:
    assert host_of_route(route) == host


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["{ts}", "."], "is a file. One script runs alone"),
        (["--remote"], "There is no --remote here. Everything runs on this machine"),
        (["--https-key-path", "key.pem", "{ts}"], "add --local-protocol https"),
        (["--local-protocol=https", "--https-key-path=k", "{ts}"], "give both --https-key-path"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, words: list[str], told: str) -> None:
    script = tmp_path / "index.ts"
    script.write_text("export default {}")

    done = CliRunner().invoke(cli, ["dev", *(word.format(ts=script) for word in words)])

    assert done.exit_code in (1, 2) and told in done.stderr
