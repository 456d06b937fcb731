"""Every kind of edit under a real server: one save edits many workflows, each with a live instance.

Each workflow is brought to a point where it waits; then the new code is saved, all at once. Steps
count in D1 how often their bodies ran.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.projects import make_project
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

TOMORROW_MS = round(time.time() * 1000) + 86_400_000
API = "/client/v4/accounts/local/workflows"


@dataclass(frozen=True)
class Row:
    """An edit: the body of `run()`, and what is replaced in it by what.

    says: of an instance that is held, in the block at the terminal; none: it is never held.
    ran: how often each step must have run in the end.
    """

    run: str
    old: str
    new: str
    says: tuple[str, ...] = ()
    ran: dict[str, int] = field(default_factory=dict)


APPROVAL = 'await step.wait_for_event("approval", "go")'
PAID = f"""
await self.work(step, "order")()
await self.work(step, "charge")()
{APPROVAL}
await self.work(step, "ship")()
"""

HELD = {
    "renamed": Row(
        PAID,
        '"charge")',
        '"charge card")',
        (
            '"charge" was renamed to "charge card"',
            'If it continued: "charge card" would run, although "charge" is done.',
            "--rename 'charge=charge card'",
        ),
        {"order": 1, "charge": 1},
    ),
    "removed": Row(
        PAID,
        'await self.work(step, "charge")()\n',
        "",
        ('"charge" was removed, or is in a branch that is not taken any more',),
        {"order": 1, "charge": 1},
    ),
    "kind": Row(
        PAID,
        'self.work(step, "charge")()',
        'step.sleep("charge", "1 hour")',
        ('"charge" was a do and is a sleep now',),
        {"order": 1, "charge": 1},
    ),
    "count": Row(
        f'for _ in range(3):\n    await self.work(step, "item")()\n{APPROVAL}',
        "range(3)",
        "range(2)",
        ('"item" was called 3 times and is called 2 times now',),
        {"item": 3},
    ),
    "branch": Row(
        f'order, charge = self.work(step, "order"), self.work(step, "charge")\n'
        f"if await order() == 'order':\n    await charge()\n{APPROVAL}",
        "== 'order'",
        "!= 'order'",
        ('"charge" is still in the code and is not reached any more',),
        {"order": 1, "charge": 1},
    ),
    "nap": Row(
        'await self.work(step, "order")()\nawait step.sleep("nap", "1 hour")',
        '"1 hour"',
        '"2 hours"',
        (
            '"nap" sleeps, and its duration was changed: 1 hour -> 2 hours',
            '"nap" would stay as recorded',
        ),
        {"order": 1},
    ),
    "until": Row(
        'await self.work(step, "order")()\nawait step.sleep_until("alarm", AT)',
        "AT)",
        "AT + 86_400_000)",
        ('"alarm" sleeps, and its end was moved: ',),
        {"order": 1},
    ),
    "event": Row(
        PAID,
        '"go")',
        '"approved")',
        ('"approval" waits for an event, and its type was changed: "go" -> "approved"',),
        {"order": 1, "charge": 1},
    ),
    "nested": Row(
        """
@step.do("outer", config={"retries": {"limit": 1000, "delay": 300, "backoff": "constant"}})
async def outer():
    await self.ran("outer")
    await self.work(step, "charge")()
    if CODE == "old":
        raise ValueError("not yet")

await outer()
""",
        'step, "charge")',
        'step, "charge card")',
        (
            'Called in the step "outer", which is not finished.',
            '"charge" was renamed to "charge card"',
        ),
    ),
}

HARMLESS = {
    "after": Row(
        PAID,
        '"ship")()',
        '"ship")()\nawait self.work(step, "mail")()',
        ran={"order": 1, "charge": 1, "ship": 1, "mail": 1},
    ),
    "body": Row(
        PAID,
        'step, "charge")',
        'step, "charge", "another result")',
        ran={"order": 1, "charge": 1, "ship": 1},
    ),
    "config": Row(
        """
@step.do("try", config={"retries": {"limit": 900, "delay": 300, "backoff": "constant"}})
async def trying():
    if CODE == "old":
        raise ValueError("not yet")
    await self.ran("try")

await self.work(step, "order")()
await trying()
""",
        '"limit": 900',
        '"limit": 5',
        ran={"order": 1, "try": 1},
    ),
    "gather": Row(
        'a, b, c = (self.work(step, name) for name in "abc")\n'
        f"await asyncio.gather(a(), b(), c())\n{APPROVAL}",
        "a(), b(), c()",
        "c(), a(), b()",
        ran={"a": 1, "b": 1, "c": 1},
    ),
    "depends": Row(
        f"""
@step.do("order")
async def order():
    await self.ran("order")
    return 42

@step.do("charge")
async def charge(order):
    await self.ran("charge")
    return order + 1

await charge()
{APPROVAL}
""",
        '@step.do("charge")\nasync def charge(order):',
        """@step.do("receipt")
async def receipt(order, charge):
    await self.ran("receipt")
    return [order, charge]

@step.do("charge")
async def charge(order, ctx):""",
        ran={"order": 1, "charge": 1},
    ),
}

RESTLESS = {
    "outside": Row(
        PAID,
        '"order")()\n',
        '"order")()\nwhile not GATE:\n    await asyncio.sleep(0.01)\n',
        ran={"order": 1, "charge": 1, "ship": 1},
    ),
}

ROWS = {**HELD, **HARMLESS, **RESTLESS}

ENTRY = """
import asyncio
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

AT = {tomorrow}
CODE = "old"
GATE = []


class Counted(WorkflowEntrypoint):
    async def ran(self, step):
        name = type(self).__name__.lower()
        await self.env.DB.prepare("INSERT INTO ran VALUES (?, ?)").bind(name, step).run()

    def work(self, step, name, result=None):
        @step.do(name)
        async def body():
            await self.ran(name)
            return result or name

        return body


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/prepare"):
            await self.env.DB.exec("CREATE TABLE ran (workflow TEXT, step TEXT)")
        if request.url.endswith("/open"):
            GATE.append(1)
        rows = await self.env.DB.prepare(
            "SELECT workflow, step, count(*) AS n FROM ran GROUP BY workflow, step"
        ).all()
        return Response.json([[row.workflow, row.step, row.n] for row in rows.results])
"""


def entry_of(rows: dict[str, Row], *, edited: bool) -> str:
    text = ENTRY.replace("{tomorrow}", str(TOMORROW_MS))
    if edited:
        text = text.replace('CODE = "old"', 'CODE = "new"')
    for name, row in rows.items():
        assert row.run.count(row.old) == 1, (name, row.old)
        run = row.run.replace(row.old, row.new) if edited else row.run
        body = textwrap.indent(run.strip("\n"), " " * 8)
        text += (
            f"\n\nclass {name.title()}(Counted):\n    async def run(self, event, step):\n{body}\n"
        )
    return text


def project_of(folder: Path, rows: dict[str, Row], policy: str = "hold") -> Path:
    wrangler = """
name = "under-test"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
d1_databases = [{ binding = "DB", database_name = "db", database_id = "db" }]
"""
    for name in rows:
        wrangler += f'[[workflows]]\nname = "{name}"\nbinding = "{name.upper()}"\n'
        wrangler += f'class_name = "{name.title()}"\n'
    project = make_project(folder, entry_of(rows, edited=False), wrangler)
    (project / "groundfog.toml").write_text(f'[workflows]\non_divergence = "{policy}"\n')
    return project


class Scene:
    """A server on a project of rows, with one live instance `a` of each."""

    def __init__(self, server: DevServer, rows: dict[str, Row]) -> None:
        self.server = server
        self._rows = rows

    def play(self) -> None:
        """Bring every instance to its point, then save all edits at once."""
        self.server.get("/prepare")
        for name in self._rows:
            created = self.server.post(f"{API}/{name}/instances", json={"instance_id": "a"})
            assert created.status_code == 200, created.text
        for name in self._rows:
            self.wait_for(name, "waiting")
        new = entry_of(self._rows, edited=True)
        path = self.server.project / "src" / "entry.py"
        aside = path.with_suffix(".new~")
        aside.write_text(new, encoding="utf-8")
        aside.replace(path)
        self.server.wait_for("reloaded in")

    def detail(self, name: str) -> dict[str, Any]:
        result: dict[str, Any] = self.server.get(f"{API}/{name}/instances/a").json()["result"]
        return result

    def wait_for(self, name: str, wanted: str) -> dict[str, Any]:
        def check() -> dict[str, Any] | None:
            detail = self.detail(name)
            return detail if detail["status"] == wanted else None

        return eventually(check)

    def go(self, name: str) -> None:
        sent = self.server.post(f"{API}/{name}/instances/a/events/go", json={})
        assert sent.status_code == 200, sent.text

    def ran(self, name: str) -> dict[str, int]:
        rows = self.server.get("/counts").json()
        return {step: n for workflow, step, n in rows if workflow == name}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The edits under the default policy."""
    with DevServer(project_of(tmp_path_factory.mktemp("divergences") / "p", ROWS)) as server:
        scene = Scene(server, ROWS)
        scene.play()
        scene.go("outside")  # it has its five seconds while others are looked at
        yield scene


@pytest.mark.parametrize("name", HELD)
def test_an_instance_that_no_longer_fits_is_held_with_the_right_words(
    scene: Scene, name: str
) -> None:
    row = HELD[name]

    scene.wait_for(name, "paused")

    block = scene.server.wait_for(rf"\n *{name} a is held: (?s:.*?)Or undo the edit")[0]
    for words in row.says:
        assert words in block
    ran = scene.ran(name)
    assert "charge card" not in ran
    assert {step: ran[step] for step in row.ran} == row.ran


@pytest.mark.parametrize("name", HARMLESS)
def test_an_instance_that_still_fits_goes_on(scene: Scene, name: str) -> None:
    if scene.detail(name)["status"] == "waiting" and "approval" in HARMLESS[name].run:
        scene.go(name)

    scene.wait_for(name, "complete")

    assert scene.ran(name) == HARMLESS[name].ran
    assert f"{name} a is held" not in scene.server.output


def test_that_the_recorded_configuration_stays_is_said_once(scene: Scene) -> None:
    scene.wait_for("config", "complete")

    said = 'config: step "try" has another configuration now; where it has begun, the recorded one'
    eventually(lambda: scene.server.output.count(said) == 1)


def test_a_run_that_does_io_outside_steps_is_reported_as_that_and_runs_nothing_twice(
    scene: Scene,
) -> None:
    scene.server.wait_for("outside a could not be compared with its code and goes on")
    scene.server.wait_for(r"It does I/O outside steps \(waiting at src/entry.py:\d+\)")

    scene.server.get("/open")  # its event was sent before, and waits for it
    scene.wait_for("outside", "complete")

    assert scene.ran("outside") == RESTLESS["outside"].ran


TWICE = {"order": 1, "charge": 1, "charge card": 1, "ship": 1}


@pytest.mark.parametrize(
    ("policy", "words"), [("warn", "goes on, although"), ("fail", "was ended")]
)
def test_other_policies_let_it_go_on_or_end_it(tmp_path: Path, policy: str, words: str) -> None:
    rows = {name: ROWS[name] for name in ("renamed", "nap", "after")}
    with DevServer(project_of(tmp_path / "p", rows, policy)) as server:
        scene = Scene(server, rows)
        scene.play()

        server.wait_for(f"renamed a {words}")
        server.wait_for(f"nap a {words}")
        scene.go("after")
        scene.wait_for("after", "complete")
        if policy == "warn":
            scene.go("renamed")
            scene.wait_for("renamed", "complete")
            scene.wait_for("nap", "waiting")
        else:
            for name in ("renamed", "nap"):
                error = scene.wait_for(name, "errored")["error"]
                assert error["name"] == "WorkflowDivergedError"

        assert scene.ran("renamed") == (TWICE if policy == "warn" else rows["renamed"].ran)
        assert scene.ran("after") == rows["after"].ran
