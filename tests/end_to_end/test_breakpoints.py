"""`breakpoint()` on a real terminal and without one, and an editor that attaches."""

from __future__ import annotations

import json
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.end_to_end.debug_adapter import Editor
from tests.end_to_end.projects import WRANGLER, edit, make_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.terminal import OnTerminal
from tests.waiting import eventually

PROMPT = r"\(Pdb\) "
LEFT, ERASE = "\x1b[D", "\x7f"  # keys

WORKER = """
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

breakpoint()
LOADED = "yes"


class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do("charge", config={"timeout": 700, "retries": {"limit": 0, "delay": 0}})
        async def charge():
            amount = 7
            breakpoint()
            return amount

        return await charge()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/flow"):
            await self.env.FLOW.create({"id": "one"})
        elif request.url.endswith("/stop"):
            path = "here"
            breakpoint()
            return Response(path)
        return Response("answered")
"""
WAITING = """
import asyncio
from pyodide.ffi import run_sync
from workers import Response, WorkerEntrypoint


async def looked_up():
    await asyncio.sleep(0)
    found = 7
    breakpoint()
    return found


def price():
    \"\"\"Synchronous, as code of a library is.\"\"\"
    amount = run_sync(looked_up())
    doubled = 2 * amount
    breakpoint()
    return doubled


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/price"):
            return Response(str(price()))
        return Response("answered")
"""
SETTINGS = "[guest]\nhang_timeout = 800\n"


def project(folder: Path) -> Path:
    made = make_project(folder / "p", WORKER, WRANGLER.partition("[[d1")[0])
    (made / "groundfog.toml").write_text(SETTINGS, encoding="utf-8")
    return made


def test_code_stops_at_a_prompt_and_no_time_counts_until_it_goes_on(tmp_path: Path) -> None:
    """The waits are longer than the hang guard and the timeout of the step allow."""
    made = project(tmp_path)
    with OnTerminal(made) as dev, ThreadPoolExecutor() as others:
        dev.wait_for("the debugger halts the worker; all else")
        dev.wait_for(r"entry\.py\(5\)<module>\(\)")
        dev.wait_for(PROMPT)
        dev.type("p 4x" + ERASE + "1" + LEFT + LEFT + "-\n")  # the line is edited: p -41
        dev.wait_for(r"\n-41\r?\n")
        dev.type("c\n")

        with dev.client() as client:
            stopped = others.submit(client.get, "/stop")
            dev.wait_for("halts the worker for GET /stop")
            dev.wait_for(PROMPT)
            waiting = others.submit(client.get, "/other")
            dev.wait_for(r"GET /other waits: the debugger halts the worker at src/entry\.py:\d+")
            dev.type("import select; select.select([], [], [], 3)\n")
            dev.wait_for(PROMPT)
            dev.type("path = 'there'\nq\n")  # it leaves the debugger, and the worker goes on
            assert stopped.result().text in ("here", "there")
            assert waiting.result().text == "answered"

            assert client.get("/flow").text == "answered"
            dev.wait_for("halts the worker for flow one")
            dev.wait_for(PROMPT)
            dev.type("import select; select.select([], [], [], 1)\n")
            dev.wait_for(PROMPT)
            dev.type("p amount\nc\n")
            dev.wait_for(r"\n7\r?\n")
            dev.wait_for("workflow flow one: complete")

            others.submit(client.get, "/stop")
            dev.wait_for(PROMPT)
            edit(made, "breakpoint()\nLOADED", "LOADED")
            dev.wait_for("reloaded in")
            assert client.get("/other").text == "answered"  # by the new code
        assert "did not respond" not in dev.text
        dev.type("c\n")
        eventually(lambda: not dev.echoes)  # single keys act again
        dev.end()
        assert dev.echoes


def test_code_stops_where_a_handler_waits_in_synchronous_code(tmp_path: Path) -> None:
    """First in the coroutine that `run_sync` waits for, then in the code that waited."""
    made = make_project(tmp_path / "p", WAITING, WRANGLER.partition("[[")[0])
    with OnTerminal(made) as dev, ThreadPoolExecutor() as others:
        with dev.client() as client:
            asked = others.submit(client.get, "/price")
            dev.wait_for("halts the worker for GET /price")
            dev.wait_for(PROMPT)
            dev.type("found = found + 1\np found\n")
            dev.wait_for(r"(?<!\d)8\r?\n")
            waiting = others.submit(client.get, "/other")
            dev.wait_for("GET /other waits: the debugger halts the worker")
            dev.type("c\n")
            dev.wait_for(r"entry\.py\(\d+\)price\(\)")
            dev.wait_for(PROMPT)
            dev.type("p doubled\nup\n")
            dev.wait_for(r"(?<!\d)16\r?\n")
            dev.wait_for(r"entry\.py\(\d+\)fetch\(\)")
            dev.type("c\n")
            assert (asked.result().text, waiting.result().text) == ("16", "answered")
        dev.end()


def test_without_terminal_and_debugpy_a_breakpoint_is_passed_by_and_told(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    venv.create(bare, symlinks=True)
    with DevServer(project(tmp_path), "--debug=0", "--python", f"{bare}/bin/python") as server:
        assert server.get("/stop").text == "here"
        server.wait_for(r"breakpoint\(\) at \S+entry\.py:25 is passed by: there is no terminal")
        server.wait_for(rf"needs debugpy in the worker's Python: {bare}/bin/python -m pip install")
        assert "Debugger on" not in server.output


def test_an_editor_attaches_at_one_address_over_reloads(tmp_path: Path) -> None:
    made = project(tmp_path)
    file = made / "src" / "entry.py"
    answered = (
        file.read_text(encoding="utf-8").split("\n").index('        return Response("answered")')
        + 1
    )
    with DevServer(made, "--debug=0") as server, ThreadPoolExecutor() as others:
        port = int(server.wait_for(r"Debugger on 127\.0\.0\.1:(\d+)")[1])
        announced = json.loads((made / ".groundfog" / "dev.json").read_text(encoding="utf-8"))
        assert announced["debugPort"] == port

        with Editor(port, file, answered) as editor:
            asked = others.submit(server.get, "/other")
            name, line, thread = editor.stopped_in()
            assert (name, line) == ("fetch", answered)
            editor.ask("continue", threadId=thread)
            assert asked.result().text == "answered"

            others.submit(server.get, "/flow")
            assert editor.stopped_in()[0] == "fetch"
            editor.ask("continue", threadId=thread)
            assert editor.stopped_in()[0] == "charge"  # by its own breakpoint()
            editor.ask("continue", threadId=thread)
            server.wait_for("workflow flow one: complete")

            edit(made, '"answered"', '"renewed"')
            assert editor.event("terminated")["restart"] is True  # attach again
            eventually(lambda: editor.has_ended)

        with Editor(port, file, answered) as editor:
            asked = others.submit(server.get, "/other")
            name, line, thread = editor.stopped_in()
            editor.ask("continue", threadId=thread)
            assert (line, asked.result().text) == (answered, "renewed")
        assert "did not respond" not in server.output
