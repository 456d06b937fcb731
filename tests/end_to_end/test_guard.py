"""The journal guard under a real server: files are edited while instances are under way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from emulator.cli.main import cli
from groundfog.testing import ReplayDiffers, assert_replays
from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import edit, workflow_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.test_workflows import create, wait_for_status

SHOP = """
async def run(self, event, step):
    @step.do("order")
    async def order():
        await self.ran("order")
        return 42

    @step.do("charge")
    async def charge(order):
        await self.ran("charge")
        return f"paid {order}"

    @step.do("ship")
    async def ship():
        await self.ran("ship")

    paid = await charge()
    await step.wait_for_event("approval", "approved")
    await ship()
    return paid
"""
RENAME = ('step.do("charge")', 'step.do("charge card")')


def command(project: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["workflows", *arguments, "--cwd", str(project)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def counts(server: DevServer) -> dict[str, int]:
    found: dict[str, int] = server.get("/counts").json()
    return found


def approve(server: DevServer, instance: str) -> None:
    server.post(f"/event/{instance}/approved", json=True)


def waiting(server: DevServer, instance: str = "a") -> str:
    """Start an order and wait until it waits for approval."""
    create(server, instance)
    wait_for_status(server, instance, "waiting")
    return instance


def test_a_renamed_step_holds_the_instance_and_the_command_shown_lets_it_go_on(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", SHOP)
    server = serve(project)
    waiting(server, "a")
    waiting(server, "b")

    edit(project, *RENAME)
    block = server.wait_for(r"2 instances of flow \(a, b\) are held(?s:.*?)same for all of them\.")[
        0
    ]
    assert "- do             charge       done      was src/entry.py:" in block
    assert "+ do             charge card            src/entry.py:" in block
    assert 'If it continued: "charge card" would run, although "charge" is done.' in block
    wait_for_status(server, "a", "paused")
    shown = "groundfog workflows instances resume flow a --rename 'charge=charge card'"
    assert shown in block

    arguments = ["instances", "resume", "flow", "a", "--rename", "charge=charge card", "--all"]
    assert "and 1 that was held for the same reason" in command(project, *arguments).output
    for instance in "ab":
        approve(server, instance)
        assert wait_for_status(server, instance, "complete")["output"] == "paid 42"
    assert counts(server) == {"order": 2, "charge": 2, "ship": 2}


DATES = """
async def run(self, event, step):
    import datetime

    month = datetime.date.today().strftime("%Y-%m")

    @step.do(f"report of {month}")
    async def report():
        return 1

    await report()
    await step.sleep("rest", "1 day")
"""


def test_what_depends_on_the_time_of_day_is_told_once_by_shadow_replays(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", DATES)
    (project / "groundfog.toml").write_text("[workflows]\nshadow_replay = true\n")
    server = serve(project)
    waiting_for_shadow = r"flow / \w depends on what is not recorded: .*report of"

    create(server, "a")
    server.wait_for(waiting_for_shadow)
    create(server, "b")
    wait_for_status(server, "b", "waiting")
    edit(project, "report of", "account of")  # a shadow with the new code tells it again
    server.wait_for("reloaded in")
    create(server, "c")
    server.wait_for(r"flow / c depends on what is not recorded: .*account of")

    assert len(re.findall(waiting_for_shadow, server.output)) == 1


def test_an_undone_edit_lets_the_instance_go_on_by_itself(tmp_path: Path, serve: Serve) -> None:
    project = workflow_project(tmp_path / "p", SHOP)
    server = serve(project)
    waiting(server)
    edit(project, *RENAME)
    wait_for_status(server, "a", "paused")
    approve(server, "a")

    edit(project, *reversed(RENAME))
    server.wait_for("the code fits again; it goes on")

    assert wait_for_status(server, "a", "complete")["output"] == "paid 42"
    assert counts(server) == {"order": 1, "charge": 1, "ship": 1}


def test_an_edit_made_while_no_server_runs_is_found_at_the_next_start_and_by_check(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", SHOP)
    server = serve(project)
    waiting(server)
    assert command(project, "check").exit_code == 0  # beside a running server
    server.stop()
    exported = command(project, "instances", "export", "flow", "a")
    history = tmp_path / "histories" / "waits.json"
    history.parent.mkdir()
    history.write_text(exported.output)
    production = history.with_name("flow.json")  # as wrangler prints it
    described = command(project, "instances", "describe", "flow", "a", "--json").output
    production.write_text(described)
    assert command(project, "check", "--history", str(production)).exit_code == 0

    edit(project, *RENAME)
    checked = command(project, "check")
    assert checked.exit_code == 1
    assert "flow a would be held: the code does not ask for what was done." in checked.output
    assert "1 checked, 1 does not fit" in checked.output
    with pytest.raises(ReplayDiffers, match="1 does not fit"):
        assert_replays(history, project)
    annotated = command(project, "check", "--history", str(history.parent), "--format", "github")
    assert annotated.exit_code == 1
    place = r"::error file=\S*src/entry.py,line=\d+,title=replay-renamed::2 instances of flow"
    assert re.search(place, annotated.output)
    sarif = command(project, "check", "--history", str(production), "--format", "sarif")
    (result,) = json.loads(sarif.output)["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("replay-renamed", "error")
    told = command(project, "check", "--history", str(history), "--json")
    assert told.exit_code == 1
    (found,) = json.loads(told.output)
    assert (found["id"], found["outcome"]) == ("a", "diverges")
    assert found["divergence"]["findings"][0]["newName"] == "charge card"

    again = serve(project)
    wait_for_status(again, "a", "paused")
    again.wait_for(r"flow a is held")


def test_under_warn_the_instance_goes_on_as_in_production(tmp_path: Path, serve: Serve) -> None:
    project = workflow_project(tmp_path / "p", SHOP)
    (project / "groundfog.toml").write_text('[workflows]\non_divergence = "hold"\n')
    server = serve(project, "--on-divergence", "warn")
    waiting(server)

    edit(project, *RENAME)
    server.wait_for("flow a goes on, although its code no longer asks for what was done.")
    approve(server, "a")

    wait_for_status(server, "a", "complete")
    assert counts(server) == {"order": 1, "charge": 2, "ship": 1}


def test_under_fail_the_instance_ends_with_an_error(tmp_path: Path, serve: Serve) -> None:
    project = workflow_project(tmp_path / "p", SHOP)
    (project / "groundfog.toml").write_text('[workflows]\non_divergence = "fail"\n')
    server = serve(project)
    waiting(server)

    edit(project, *RENAME)

    status = wait_for_status(server, "a", "errored")
    assert status["error"]["name"] == "WorkflowDivergedError"


OUTSIDE = """
async def run(self, event, step):
    @step.do("order")
    async def order():
        pass

    await order()
    await self.ran("outside")
    await step.wait_for_event("approval", "approved")
"""


def test_looking_at_sleeping_instances_calls_no_binding(tmp_path: Path, serve: Serve) -> None:
    project = workflow_project(tmp_path / "p", OUTSIDE)
    server = serve(project)
    waiting(server)
    before = counts(server)

    edit(project, 'step.do("order")', 'step.do("order", config={"timeout": "1 minute"})')
    server.wait_for("reloaded in")
    result = command(project, "check")

    assert result.exit_code == 0
    assert "1 cannot be told" in result.output
    assert "It does I/O outside steps (env.DB.exec() at src/entry.py:" in result.output
    assert counts(server) == before
    approve(server, "a")
    wait_for_status(server, "a", "complete")


def test_a_changed_variable_counts_as_changed_code(tmp_path: Path, serve: Serve) -> None:
    run = SHOP.replace('step.do("charge")', "step.do(self.env.CHARGE)")
    project = workflow_project(tmp_path / "p", run)
    (project / ".dev.vars").write_text("CHARGE=charge\n")
    server = serve(project)
    waiting(server)

    (project / ".dev.vars").write_text("CHARGE=charge-card\n")

    wait_for_status(server, "a", "paused")


HISTORY: dict[str, Any] = {
    "format": "groundfog-history",
    "version": 1,
    "workflow": "flow",
    "id": "x",
    "entries": [{"at": 1, "kind": "WORKFLOW_QUEUED"}],
}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "bad.json:1: not JSON: "),
        ("[]", 'bad.json: not a history; expected an object with "format": "groundfog-history"'),
        (json.dumps(HISTORY | {"version": 2}), "bad.json: version is 2; this Groundfog reads"),
        (json.dumps(HISTORY | {"entries": []}), "bad.json: entries must be a list"),
        (json.dumps(HISTORY | {"id": 7}), "bad.json: workflow and id must be strings"),
        (
            json.dumps(HISTORY | {"entries": [{"at": 1, "kind": "NOPE"}]}),
            "bad.json: entries[0]: kind is 'NOPE', which is not a kind of entry",
        ),
        (
            json.dumps(HISTORY | {"entries": [{"at": "now", "kind": "WORKFLOW_QUEUED"}]}),
            "bad.json: entries[0]: at is 'now'; expected int",
        ),
        (
            json.dumps(
                HISTORY | {"entries": [{"at": 1, "kind": "STEP_SUCCESS", "step": "do:1:a"}]}
            ),
            "bad.json: entries[0]: STEP_SUCCESS of do:1:a "
            "does not follow from the entries before it",
        ),
    ],
)
def test_a_file_that_is_not_a_history_is_refused_by_name(
    tmp_path: Path, text: str, problem: str
) -> None:
    project = workflow_project(tmp_path / "p", SHOP)
    (tmp_path / "bad.json").write_text(text)

    result = command(project, "check", "--history", str(tmp_path / "bad.json"))

    assert result.exit_code == 1
    assert problem in result.output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--accept", "--rename", "a=b"), "cannot be combined"),
        (("--rename", "a"), '--rename is "a"; expected OLD=NEW'),
        (("--all",), "--all goes with --accept or --rename"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    project = workflow_project(tmp_path / "p", SHOP)

    result = command(project, "instances", "resume", "flow", "a", *arguments)

    assert result.exit_code == 1
    assert problem in result.output
