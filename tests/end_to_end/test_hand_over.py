"""A save while instances, requests and streams are under way: nothing lost, nothing twice."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import httpx

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import COUNTED, WRANGLER, edit, make_project, workflow_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.test_workflows import create, wait_for_status
from tests.waiting import eventually

FLOW = (
    COUNTED
    + """
    async def run(self, event, step):
        kind = event["instanceId"].split("-")[0]

        @step.do("before")
        async def before():
            await self.ran(f"before {kind}")

        @step.do("slow")
        async def slow():
            await self.ran("slow")
            await asyncio.sleep(1.0)

        @step.do("after")
        async def after():
            await self.ran(f"after {kind}")
            return VERSION

        await before()
        if kind == "sleeper":
            await step.sleep("nap", "3 seconds")
        elif kind == "waiter":
            await step.wait_for_event("go", "go")
        else:
            await slow()
        return await after()
"""
)
VERSION = 'import asyncio\nVERSION = "version 1"\n'
KINDS = ("sleeper", "waiter", "runner")
PLAIN = "\n".join(WRANGLER.split("\n")[:5])


def flow_project(folder: Path) -> Path:
    project = workflow_project(folder, FLOW)
    entry = project / "src" / "entry.py"
    entry.write_text(VERSION + entry.read_text())
    return project


def counts(server: DevServer) -> dict[str, int]:
    found: dict[str, int] = server.get("/counts").json()
    return found


def save_version(project: Path, number: int) -> None:
    entry = project / "src" / "entry.py"
    head, _, rest = entry.read_text().partition("\nVERSION = ")
    entry.write_text(f'{head}\nVERSION = "version {number}"\n{rest.partition(chr(10))[2]}')


def test_fifty_saves_lose_no_instance_and_repeat_no_step(tmp_path: Path, serve: Serve) -> None:
    project = flow_project(tmp_path / "p")
    server = serve(project)
    ids = [f"{kind}-{n}" for kind in KINDS for n in range(3)]
    for instance in ids:
        create(server, instance)
    eventually(lambda: counts(server).get("slow") == 3)

    for number in range(2, 52):
        save_version(project, number)
        server.get("/")
    for n in range(3):
        server.post(f"/event/waiter-{n}/go", json={})

    for instance in ids:
        wait_for_status(server, instance, "complete")
    kinds = {f"{when} {kind}": 3 for when in ("before", "after") for kind in KINDS}
    assert counts(server) == {**kinds, "slow": 3}
    eventually(lambda: len(server.guest_pids()) == 1)


def test_a_save_keeps_the_deadline_of_a_sleeper_and_its_end_is_new_code(
    tmp_path: Path, serve: Serve
) -> None:
    project = flow_project(tmp_path / "p")
    server = serve(project)
    create(server, "sleeper-1")
    wait_for_status(server, "sleeper-1", "waiting")
    deadline = wake_ms(project)

    save_version(project, 2)
    server.wait_for("reloaded in")
    eventually(lambda: wake_ms(project) == deadline)

    assert wait_for_status(server, "sleeper-1", "complete")["output"] == "version 2"


def wake_ms(project: Path) -> int | None:
    journal = sqlite3.connect(project / ".groundfog" / "journal.sqlite")
    try:
        (found,) = journal.execute("SELECT wake_ms FROM instances").fetchone()
        return None if found is None else int(found)
    finally:
        journal.close()


COMPUTES = """
    async def run(self, event, step):
        import pathlib, threading
        folder = pathlib.Path(__file__).parent.parent

        @step.do("compute")
        async def compute():
            (folder / "computing").touch()
            threading.Event().wait(1.5)  # its guest does not answer during that time

        if event["instanceId"] == "computes":
            await compute()
        got = await step.wait_for_event("go", "go", timeout="1 hour")
        return got["payload"]
"""


def test_an_event_that_arrives_during_a_save_is_not_swallowed(tmp_path: Path, serve: Serve) -> None:
    project = workflow_project(tmp_path / "p", COMPUTES)
    server = serve(project)
    create(server, "waits")
    wait_for_status(server, "waits", "waiting")
    create(server, "computes")
    eventually((project / "computing").exists)

    edit(project, '"hello"', '"hello again"')
    server.wait_for("reloaded in")
    server.post("/event/waits/go", json=7)

    assert wait_for_status(server, "waits", "complete")["output"] == 7


def test_a_broken_save_leaves_instances_where_they_are(tmp_path: Path, serve: Serve) -> None:
    project = flow_project(tmp_path / "p")
    server = serve(project)
    create(server, "sleeper-1")
    create(server, "waiter-1")
    wait_for_status(server, "waiter-1", "waiting")

    edit(project, "class Flow", "class Flow(:")
    server.wait_for("SyntaxError")
    assert wait_for_status(server, "sleeper-1", "complete")["output"] == "version 1"

    edit(project, "class Flow(:", "class Flow")
    save_version(project, 2)
    eventually(lambda: server.output.count("reloaded in") >= 1)
    server.post("/event/waiter-1/go", json={})

    assert wait_for_status(server, "waiter-1", "complete")["output"] == "version 2"
    assert counts(server) == {f"{when} {k}": 1 for when in ("before", "after") for k in KINDS[:2]}


def test_an_instance_whose_workflow_is_gone_is_held_by_name_until_it_is_back(
    tmp_path: Path, serve: Serve
) -> None:
    project = flow_project(tmp_path / "p")
    server = serve(project)
    create(server, "sleeper-1")
    wait_for_status(server, "sleeper-1", "waiting")

    edit(project, 'name = "flow"', 'name = "other"', "wrangler.toml")
    server.wait_for('flow sleeper-1: stands still, because no workflow named "flow" is configured')
    edit(project, 'name = "other"', 'name = "flow"', "wrangler.toml")

    assert wait_for_status(server, "sleeper-1", "complete")["output"] == "version 1"
    assert counts(server) == {"before sleeper": 1, "after sleeper": 1}


def test_an_instance_whose_class_is_gone_at_the_start_is_held_by_name_until_it_is_back(
    tmp_path: Path, serve: Serve
) -> None:
    project = flow_project(tmp_path / "p")
    before = serve(project)
    create(before, "sleeper-1")
    wait_for_status(before, "sleeper-1", "waiting")
    before.stop()
    edit(project, "class Flow(", "class Other(")

    server = serve(project)
    server.wait_for('flow sleeper-1: stands still, because the worker exports no class "Flow"')
    edit(project, "class Other(", "class Flow(")

    assert wait_for_status(server, "sleeper-1", "complete")["output"] == "version 1"
    assert counts(server) == {"before sleeper": 1, "after sleeper": 1}


STREAMING = """
import asyncio
from js import ReadableStream
from workers import Response, WorkerEntrypoint

VERSION = 0

async def lines():
    for n in range(40):
        yield f"{n}\\n"
        await asyncio.sleep(0.05)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if "stream" in request.url:
            return Response(lines())
        return Response(str(VERSION))
"""


def test_under_load_twenty_reloads_fail_no_request_and_cut_no_stream(
    tmp_path: Path, serve: Serve
) -> None:
    project = make_project(tmp_path / "p", STREAMING, PLAIN)
    server = serve(project)
    over = threading.Event()
    problems: list[str] = []
    answered: list[int] = []

    def ask(path: str, wanted: str | None) -> None:
        with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
            while not over.is_set():
                try:
                    response = client.get(path)
                except httpx.HTTPError as error:
                    problems.append(repr(error))
                    return
                answered.append(response.status_code)
                if response.status_code != 200 or wanted not in (None, response.text):
                    problems.append(f"{path}: {response.status_code} {response.text[:200]}")

    stream = "".join(f"{n}\n" for n in range(40))
    askers = [
        threading.Thread(target=ask, args=arguments)
        for arguments in (("/", None), ("/", None), ("/stream", stream))
    ]
    for asker in askers:
        asker.start()
    try:
        for number in range(1, 21):
            edit(project, f"VERSION = {number - 1}", f"VERSION = {number}")
            serves(server, str(number))
    finally:
        over.set()
        for asker in askers:
            asker.join()

    assert problems == []
    assert len(answered) > 40
    eventually(lambda: len(server.guest_pids()) == 1)


HELLO = """
from workers import Response, WorkerEntrypoint
from part import TEXT

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(TEXT)
"""


def test_files_as_editors_and_people_leave_them_are_survived(tmp_path: Path, serve: Serve) -> None:
    project = make_project(tmp_path / "p", HELLO, PLAIN)
    part = project / "src" / "part.py"
    part.write_text('TEXT = "first"\n')
    server = serve(project)

    for number, (broken, shown) in enumerate(
        [
            ('TEXT = "half', "SyntaxError"),
            ("from entry import Default\nTEXT = 1\n", "circular import"),
            (None, "ModuleNotFoundError"),
        ]
    ):
        seen = len(server.lines)
        if broken is None:
            part.unlink()
        else:
            part.write_text(broken)
        server.wait_for(shown, after=seen)
        assert server.get("/").status_code == 200

        beside = part.with_suffix(".tmp")
        beside.write_text(f'TEXT = "mended {number}"\n')
        os.replace(beside, part)
        serves(server, f"mended {number}")


def serves(server: DevServer, text: str) -> None:
    """Wait until the worker answers with this text."""
    eventually(lambda: server.get("/").text == text)
