"""`groundfog dev --clock virtual` and `groundfog clock`, as people use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from click.testing import Result

from tests.cli.in_process import groundfog
from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

RUN = """
async def run(self, event, step):
    @step.do("begin")
    async def begin():
        return 1

    await begin()
    for _ in range(3):
        await step.sleep("rest", "10 days")
    return "rested"
"""
SETTINGS = '[clock]\nmode = "virtual"\nstart = 2026-01-01T00:00:00Z\n'


def clock(project: Path, *words: str, code: int = 0) -> Result:
    return groundfog(project, "clock", *words, code=code)


def asked(project: Path, *words: str) -> dict[str, Any]:
    record = json.loads(clock(project, *words, "--json").stdout)
    assert isinstance(record, dict)
    return record


def status(server: DevServer) -> Any:
    return server.get("/status/a").json()["status"]


def test_a_month_of_sleep_takes_no_time_and_a_restart_keeps_the_date(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    (project / "groundfog.toml").write_text(SETTINGS)
    with DevServer(project) as server:
        assert "The clock is virtual and stands still at 2026-01-01T00:00:00.000Z" in server.output
        server.post("/create", json={"id": "a"})
        eventually(lambda: status(server) == "waiting")
        assert asked(project, "next")["now"] == "2026-01-11T00:00:00.000Z"
        assert status(server) == "waiting"

        said = clock(project, "advance", "5 days").stdout

        assert said == (
            "2026-01-16T00:00:00.000Z (virtual, stands still)\nmoved by 5 days\n"
            "next: 2026-01-21T00:00:00.000Z, in 5 days\n"
        )
        server.kill()
        server.stop()

    with DevServer(project) as server:
        assert asked(project, "show")["now"] == "2026-01-16T00:00:00.000Z"

        moved = asked(project, "advance", "20 days")

        assert (moved["now"], moved["next"]) == ("2026-02-05T00:00:00.000Z", None)
        assert status(server) == "complete"
        detail = server.get("/cdn-cgi/local/explorer/api/workflows/flow/instances/a").json()
        assert detail["result"]["end"] == "2026-01-31T00:00:00.000Z"
        assert asked(project, "run")["frozen"] is False
        assert asked(project, "freeze")["frozen"] is True


def test_a_schedule_starts_instances_when_its_time_comes(tmp_path: Path) -> None:
    run = """
async def run(self, event, step):
    return event["schedule"]
"""
    project = workflow_project(tmp_path / "p", run)
    (project / "groundfog.toml").write_text(SETTINGS)
    config = project / "wrangler.toml"
    text = config.read_text().replace(
        'class_name = "Flow"\n', 'class_name = "Flow"\nschedules = "0 9 * * MON-FRI"\n'
    )
    config.write_text(text)
    with DevServer(project) as server:
        assert "starts itself at 0 9 * * MON-FRI (UTC)" in server.output
        workflows = "/cdn-cgi/local/explorer/api/workflows/flow"
        at_ms = 1_767_258_000_000
        scheduled = {"cron": "0 9 * * MON-FRI", "next_instance": "2026-01-01T09:00:00.000Z"}
        assert server.get(workflows).json()["result"]["schedules"] == [scheduled]

        asked(project, "next")

        instance = quote(f"0 9 * * MON-FRI-{at_ms}", safe="")
        detail = server.get(f"{workflows}/instances/{instance}").json()["result"]
        assert (detail["status"], detail["trigger"]) == ("complete", {"source": "cron"})
        assert detail["output"] == detail["schedule"]
        assert detail["schedule"] == {"cron": "0 9 * * MON-FRI", "scheduledTime": at_ms}


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    nobody = clock(project, "show", code=1)
    with DevServer(project) as server:
        real = clock(project, "advance", "1 day", code=1)
        bad_span = clock(project, "advance", "5 days ago", code=1)
        by_get = server.get("/cdn-cgi/groundfog/clock/advance")

        assert asked(project, "show")["mode"] == "real"

    assert "No groundfog dev is running here" in nobody.stderr
    assert "groundfog dev --clock virtual" in real.stderr
    assert 'SPAN is "5 days ago"; expected' in bad_span.stderr
    assert by_get.status_code == 405
