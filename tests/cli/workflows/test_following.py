"""`describe --follow`: the event log as it happens."""

from __future__ import annotations

import json
import os
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
from tests.waiting import DEADLINE_S

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Follow an instance of `flow` in the background, until the test ends at the latest."""
    with ExitStack() as stack:

        def start(project: Path, instance: str, *options: str) -> subprocess.Popen[str]:
            words = ("workflows", "instances", "describe", "flow", instance, "--follow", *options)
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "groundfog", *words],
                    cwd=project,
                    env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return what is printed up to a line with this text."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"it ended without {text!r}: {seen}")


def test_events_are_printed_as_they_happen_until_the_end(workflows: Command, start: Start) -> None:
    workflows("trigger", "flow", '{"do": "wait"}', "--id", "followed")
    following = start(workflows.project, "followed")
    began = read_until(following, 'waits for "answered"')

    workflows("instances", "send-event", "flow", "followed", "--type", "answered")
    out, err = following.communicate(timeout=DEADLINE_S)

    assert "○ queued" in began and "✓ greet" in began
    assert "✓ answer                  event received" in out and "✓ complete" in out
    assert following.returncode == 0 and err == ""


def test_each_line_of_json_is_an_event_and_none_comes_twice(tmp_path: Path, start: Start) -> None:
    """Follow across a restart of the server, on another port."""
    project = workflow_project(tmp_path / "p", RUN)
    commands = Command(project)
    with DevServer(project):
        commands("trigger", "flow", '{"do": "wait"}', "--id", "long")
        following = start(project, "long", "--json")
        first = read_until(following, "workflow_waiting")
    with DevServer(project):
        commands("instances", "send-event", "flow", "long", "--type", "answered")
        rest, _ = following.communicate(timeout=DEADLINE_S)

    events = [json.loads(line) for line in (first + rest).splitlines()]
    ids = [event["eventId"] for event in events]
    assert ids == sorted(set(ids))
    assert events[0]["type"] == "workflow_queued" and events[-1]["type"] == "workflow_completed"
    assert following.returncode == 0


def test_a_reader_that_goes_away_and_ctrl_c_end_it_without_a_word(
    workflows: Command, start: Start
) -> None:
    workflows("trigger", "flow", '{"do": "wait"}', "--id", "left")
    following = start(workflows.project, "left")
    read_until(following, "waits for")
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=DEADLINE_S)
    assert (following.returncode, err) == (130, "")

    unread = start(workflows.project, "left")
    assert unread.stdout is not None and unread.stderr is not None
    unread.stdout.close()
    workflows("instances", "send-event", "flow", "left", "--type", "answered")
    assert unread.stderr.read() == ""
    unread.wait(DEADLINE_S)
    unread.stderr.close()


def test_without_a_server_what_has_happened_is_printed(offline: Command) -> None:
    offline("trigger", "flow", "--id", "later")

    done = offline("instances", "describe", "flow", "later", "--follow")

    assert "○ queued" in done.out
    assert done.err == "No server is running, so this is all that has happened.\n"
    assert "no instance" in offline("instances", "describe", "flow", "x", "-f", code=1).err
