"""Keys of `groundfog dev` on a real terminal."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from tests.end_to_end.projects import WRANGLER, make_project
from tests.end_to_end.terminal import OnTerminal, Shell
from tests.waiting import eventually

WORKER = """
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint


class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        await step.sleep("a while", "30 days")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/stop"):
            place = "here"
            breakpoint()
            return Response(place)
        await self.env.FLOW.create({"id": "one"})
        return Response("created")
"""
BROWSER = """#!/bin/sh
echo "$1" >> "$0.opened"
"""
LINE = r"\[b\] browser  \[e\] explore  \[w\] workflows  \[s\] skip ahead  \[c\] clear  \[x\] exit"


def project(folder: Path) -> Path:
    return make_project(folder / "p", WORKER, WRANGLER.partition("[[d1")[0])


def browser(folder: Path) -> Path:
    program = folder / "browser"
    program.write_text(BROWSER)
    program.chmod(0o755)
    return program


def test_single_keys_act_at_once_and_are_never_echoed(tmp_path: Path) -> None:
    program = browser(tmp_path)
    opened = Path(f"{program}.opened")
    terminal = OnTerminal(project(tmp_path), "--clock=virtual", env={"BROWSER": str(program)})
    with terminal as dev, dev.client() as client:
        dev.wait_for(LINE)
        eventually(lambda: not dev.echoes)
        assert client.get("/").text == "created"

        dev.type("w")
        dev.wait_for(r"│ flow +│ one +│ ◷ waiting")
        dev.type("s")
        dev.wait_for("the clock moved to 20")
        dev.type("\x1b[A?Bzz")  # an arrow, and keys without a meaning beside one with
        url = str(client.base_url).rstrip("/")
        eventually(lambda: opened.exists() and opened.read_text() == f"{url}\n")
        dev.type("e")
        page = f"{url}/cdn-cgi/groundfog/\n"
        eventually(lambda: opened.read_text().endswith(page))
        dev.type("d")
        dev.wait_for("start with groundfog dev --debug")
        dev.type("c")
        dev.wait_for(r"\x1b\[H\x1b\[2J\x1b\[3J\s+Ready on http://localhost:\d+")
        dev.wait_for(LINE)

        dev.type("q")
        dev.wait_for("stopping")
        eventually(lambda: dev.echoes)
        assert "zz" not in dev.text and dev.ended() == 0


def test_keys_are_the_debuggers_as_long_as_its_prompt_is_open(tmp_path: Path) -> None:
    with OnTerminal(project(tmp_path)) as dev, dev.client() as client:
        eventually(lambda: not dev.echoes)
        stopped = dev.later(lambda: client.get("/stop"))
        dev.wait_for(r"\(Pdb\) ")
        dev.type("p 'x' 'qcq' 'w'\n")
        dev.wait_for("xqcqw")
        dev.wait_for(r"\(Pdb\) ")
        dev.type("c\n")
        assert stopped.result().text == "here"
        eventually(lambda: not dev.echoes)
        dev.type("x")
        dev.wait_for("stopping")
        eventually(lambda: dev.echoes)


def test_a_stopped_job_leaves_the_terminal_to_the_shell_until_it_goes_on(tmp_path: Path) -> None:
    made = project(tmp_path)
    with Shell(BROWSER="false") as shell:
        shell.type(f"{sys.executable} -m groundfog dev {made} --port 0\n")
        shell.wait_for(r"\[x\] exit")
        eventually(lambda: not shell.echoes)

        shell.type("\x1a")
        shell.wait_for("Stopped")
        shell.type("echo ec''hoed\n")  # which the shell edits, and not we
        shell.wait_for("echoed")
        shell.type("fg\n")
        shell.wait_for("groundfog")
        eventually(lambda: not shell.echoes)
        shell.type("b")
        shell.wait_for("false did not open a browser; the page is http")

        shell.type("\x1a")
        shell.wait_for("Stopped")
        shell.type("bg\n")
        shell.type("echo be''hind\n")
        shell.wait_for("behind")
        shell.type("fg\n")
        eventually(lambda: not shell.echoes)
        number = eventually(lambda: server_of(made))
        os.kill(number, signal.SIGTERM)
        shell.wait_for("stopping")
        shell.type("echo a''gain\n")
        shell.wait_for(r"echo a''gain")  # echoed
        shell.wait_for("again")


def test_without_a_person_at_the_terminal_no_key_acts(tmp_path: Path) -> None:
    with OnTerminal(project(tmp_path), "--show-interactive-dev-session=false") as dev:
        dev.client().close()
        dev.type("x")
        assert dev.echoes and "[x] exit" not in dev.text


def server_of(project: Path) -> int:
    return int(json.loads((project / ".groundfog" / "dev.json").read_text())["pid"])


def test_ctrl_c_at_a_question_does_nothing_and_ends_with_130(tmp_path: Path) -> None:
    made = make_project(tmp_path / "p", WORKER, WRANGLER)
    (made / "migrations").mkdir(exist_ok=True)
    (made / "migrations" / "0001_first.sql").write_text("CREATE TABLE first (n);")
    with Shell() as shell:
        shell.type(f"cd {made}; {sys.executable} -m groundfog d1 migrations apply DB\n")
        shell.wait_for(r"continue\? \[Y/n\]")
        shell.type("\x03")
        shell.wait_for(r"\^C\s+\$ ")
        shell.type("echo code $?\n")
        shell.wait_for(r"code 130\r")
        shell.type(f"{sys.executable} -m groundfog d1 migrations apply DB\n")
        shell.wait_for(r"continue\? \[Y/n\]")
        shell.type("n\n")
        shell.wait_for("error: nothing was done")
        shell.type("echo code $?\n")
        shell.wait_for(r"code 1\r")
