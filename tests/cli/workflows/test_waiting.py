"""`--wait`, as a script and as a person at a terminal use it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.workflows.command import ROOT, Command
from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.server.api.serving import RUN
from tests.waiting import DEADLINE_S, eventually

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a command without waiting for its end; the test's end is its own."""
    with ExitStack() as stack:

        def start(
            project: Path, *words: str, stderr: int = subprocess.PIPE
        ) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "groundfog", "workflows", *words],
                    cwd=project,
                    env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "90"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def test_the_output_is_printed_when_the_instance_is_complete(workflows: Command) -> None:
    done = workflows("trigger", "flow", '{"do": "echo"}', "--id", "awaited", "--wait")

    assert json.loads(done.out) == {"do": "echo"}
    assert "✓ greet" in done.err and "flow / awaited  ✓ complete in" in done.err


def test_the_exit_code_is_1_when_the_instance_fails(workflows: Command) -> None:
    words = ("trigger", "flow", '{"do": "fail"}', "--id", "failing", "--wait", "--json")
    done = workflows(*words, code=1)

    told = json.loads(done.out)
    assert told["id"] == "failing" and told["status"] == "errored"
    assert "✗ 1  NonRetryableError: never" in done.err


def test_other_changes_wait_too(workflows: Command) -> None:
    workflows("trigger", "flow", '{"do": "wait"}', "--id", "patient")
    workflows.until("patient", "waiting")

    sent = ("send-event", "flow", "patient", "--type", "answered", "--payload", "7", "--wait")
    assert workflows("instances", *sent).out == "7\n"


def test_a_wait_goes_on_when_the_server_is_started_again(tmp_path: Path, start: Start) -> None:
    """The second server has another port: the command finds it by itself."""
    project = workflow_project(tmp_path / "p", RUN)
    with DevServer(project):
        waiting = start(project, "trigger", "flow", '{"do": "wait"}', "--id", "long", "--wait")
        Command(project).until("long", "waiting")
    with DevServer(project):
        Command(project)("instances", "send-event", "flow", "long", "--type", "answered")
        out, err = waiting.communicate(timeout=DEADLINE_S)

    assert waiting.returncode == 0 and json.loads(out) == {}
    assert "flow / long  ✓ complete" in err


def test_a_wait_without_a_server_is_refused_and_changes_nothing(offline: Command) -> None:
    done = offline("trigger", "flow", "--wait", code=1)

    assert "--wait needs a running server" in done.err
    assert offline.json("instances", "list", "flow") == []


def test_a_terminal_sees_the_timeline_drawn_over_itself_until_ctrl_c(
    workflows: Command, start: Start
) -> None:
    """Run on a pseudo-terminal, interrupt it while the instance waits."""
    ours, theirs = pty.openpty()
    waiting = start(workflows.project, "trigger", "flow", '{"do": "wait"}', "--wait", stderr=theirs)
    os.close(theirs)
    seen = ""

    def reads(text: str) -> bool:
        nonlocal seen
        seen += os.read(ours, 65_536).decode("utf-8", "replace")
        return text in seen

    eventually(lambda: reads('waiting for "answered"'))
    waiting.send_signal(signal.SIGINT)
    eventually(lambda: reads("\x1b[?25h"))
    out, _ = waiting.communicate(timeout=DEADLINE_S)
    os.close(ours)

    assert waiting.returncode == 130 and out == ""
    assert "\x1b[?25l" in seen and "\x1b[J" in seen and "\x1b[32m✓" in seen
    assert "Aborted" not in seen and "Traceback" not in seen
