"""Text that would drive a terminal, from wherever others may write it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli.main import cli
from tests.cli.workflows.command import Command, Done
from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import WRANGLER, edit, make_project, workflow_project
from tests.end_to_end.server import DevServer

# ESC, a C1 control (CSI), CR, BEL, DEL, a turn of direction.
HOSTILE = "\x1b]0;evil\x07\x9b2J\rover\x7f\u202eback"
STEP = "st\x9bep\u202e"  # what a step's name may hold

RUN = f"""
async def run(self, event, step):
    @step.do({STEP!r}, config={{"retries": {{"limit": 0, "delay": 0}}}})
    async def named():
        if event["payload"].get("fail"):
            raise ValueError({HOSTILE!r})
        return {HOSTILE!r}

    await named()
    await step.wait_for_event({STEP!r}, "go")
"""


def driving(text: str) -> list[str]:
    """Return the characters of a text that could drive a terminal, or turn it around."""
    unsafe = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [c for c in text if unicodedata.category(c) in unsafe and c not in "\n\t"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    with DevServer(workflow_project(tmp_path_factory.mktemp("hostile") / "p", RUN)) as running:
        yield running


@pytest.fixture(scope="module")
def command(server: DevServer) -> Command:
    """The commands, on two instances that have had hostile values and errors."""
    workflows = Command(server.project)
    workflows("trigger", "flow", json.dumps({"text": HOSTILE}), "--id", "waits")
    workflows("trigger", "flow", json.dumps({"fail": True, "text": HOSTILE}), "--id", "fails")
    workflows.until("waits", "waiting")
    workflows.until("fails", "errored")
    return workflows


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("describe", "flow"),
        ("instances", "list", "flow"),
        ("instances", "describe", "flow", "waits"),
        ("instances", "describe", "flow", "fails"),
        ("instances", "describe", "flow", "fails", "--follow"),
    ],
)
def test_no_command_prints_what_drives_a_terminal(
    command: Command, words: tuple[str, ...], form: tuple[str, ...]
) -> None:
    done = command(*words, *form)

    assert driving(done.out + done.err) == []


def test_an_exported_history_and_a_check_of_it_drive_no_terminal(
    command: Command, tmp_path: Path
) -> None:
    exported = command("instances", "export", "flow", "waits")
    assert driving(exported.out) == []
    told = json.loads(exported.out)
    hostile = tmp_path / "history.json"
    hostile.write_text(exported.out.replace("st", HOSTILE[:1] + "st"), encoding="utf-8")

    assert json.loads(exported.out) == told
    for file in (tmp_path / "none\x1b[2J.json", hostile):
        done = _any_end(command, "check", "--history", str(file))
        assert driving(done.out + done.err) == []


def test_the_terminal_of_the_server_shows_them_spelled_out(
    server: DevServer, command: Command
) -> None:
    server.wait_for(r"errored: .*\\x1b\]0;evil")

    assert [line for line in server.lines if driving(line)] == []


def test_a_worker_may_colour_what_it_prints_itself(tmp_path: Path, serve: Serve) -> None:
    entry = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        print("\\x1b[31mred\\x1b[0m")
        if "raise" in request.url:
            raise ValueError("\\x1b[2Jcleared \\u202eback")
        return Response("ok")
"""
    server = serve(make_project(tmp_path / "p", entry, "\n".join(WRANGLER.split("\n")[:5])))
    assert server.get("/").text == "ok"
    server.wait_for("GET / \\| \x1b\\[31mred\x1b\\[0m")

    failed = server.get("/raise")
    assert failed.status_code == 500 and driving(failed.text) == []
    server.wait_for(r"ValueError: \\x1b\[2Jcleared \\u202eback")

    before = len(server.lines)
    edit(
        server.project, 'print("\\x1b[31mred', 'raise ValueError("\\x1b]0;x\\x07")\n        print("'
    )
    edit(server.project, "from workers", 'raise ValueError("\\x1b[2J")\nfrom workers')
    server.wait_for(r"ValueError: \\x1b\[2J", after=before)


def test_names_in_a_configuration_drive_no_terminal(tmp_path: Path, serve: Serve) -> None:
    wrangler = WRANGLER.replace('"under-test"', '"under\\u001b[2Jtest"').replace(
        'binding = "DB"', 'binding = "D\\u009bB"'
    )
    project = make_project(tmp_path / "p", "x = 1", wrangler)
    done = CliRunner().invoke(cli, ["state", "path", str(project)])
    assert driving(done.output) == []


def test_a_forged_dev_json_drives_no_terminal(tmp_path: Path) -> None:
    project = workflow_project(tmp_path / "p", RUN)
    state = project / ".groundfog"
    state.mkdir(mode=0o700)
    forged = {"pid": 1, "ip": HOSTILE, "port": 1, "url": f"http://{HOSTILE}", "token": HOSTILE}
    (state / "dev.json").write_text(json.dumps(forged), encoding="utf-8")

    done = _any_end(Command(project), "list")

    assert driving(done.out + done.err) == []


def _any_end(command: Command, *words: str) -> Done:
    done = CliRunner().invoke(cli, ["workflows", *words, "--cwd", str(command.project)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return Done(done.exit_code, done.stdout, done.stderr)
