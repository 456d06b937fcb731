"""Two steps that share a helper, under a real server: each has its own result, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.projects import edit, workflow_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.test_workflows import counts, create, wait_for_status
from tests.waiting import eventually

# "order B" hangs when it is first executed, after its charge.
ORDERS = """
async def run(self, event, step):
    import asyncio

    async def charge(who):
        @step.do("charge")
        async def do_charge():
            await self.ran(f"{who} charged")
            return {"charged": who}

        return await do_charge()

    @step.do("order A")
    async def a():
        return await charge("A")

    @step.do("order B", config={"retries": {"limit": 3, "delay": 10, "backoff": "constant"}})
    async def b():
        charged = await charge("B")
        if event["payload"].get("hangs"):
            await self.ran("B waits")
            marks = self.env.DB.prepare("SELECT count(*) AS n FROM ran WHERE step = 'B waits'")
            while (await marks.first()).n < 2:
                await asyncio.sleep(0.05)
        return charged

    if event["payload"].get("together"):
        return await asyncio.gather(a(), b())
    first = await a()
    if event["payload"].get("sleeps"):
        await step.sleep("cool down", event["payload"]["sleeps"])
    return [first, await b(), await charge("C")]
"""

Interruption = Callable[[DevServer], AbstractContextManager[DevServer]]
A, B, C = ({"charged": who} for who in "ABC")


def test_after_a_sleep_in_which_the_run_is_dropped_each_has_its_own_result(tmp_path: Path) -> None:
    with DevServer(workflow_project(tmp_path / "p", ORDERS)) as server:
        create(server, "long", {"sleeps": 2_000})
        create(server, "short", {"sleeps": 200})

        for instance in ("long", "short"):
            assert wait_for_status(server, instance, "complete")["output"] == [A, B, C]
        assert counts(server) == {"A charged": 2, "B charged": 2, "C charged": 2}
        told = [line for line in server.lines if '"charge" is called in the step' in line]
        assert len(told) == 1
        assert 'src/entry.py:23: flow: "charge" is called in the step "order A" and' in told[0]


@contextmanager
def kill_host(server: DevServer) -> Iterator[DevServer]:
    server.kill()
    with DevServer(server.project) as second:
        yield second


@contextmanager
def kill_guest(server: DevServer) -> Iterator[DevServer]:
    server.kill_guest()
    yield server


@contextmanager
def save(server: DevServer) -> Iterator[DevServer]:
    edit(server.project, "import asyncio", "import asyncio  # edited")
    server.wait_for("order B was cut off by a reload")
    yield server


@pytest.mark.parametrize("interrupt", [kill_host, kill_guest, save])
@pytest.mark.parametrize("together", [False, True], ids=["one after the other", "gather"])
def test_what_a_callback_in_flight_has_done_is_its_own_and_is_not_done_again(
    tmp_path: Path, interrupt: Interruption, together: bool
) -> None:
    project = workflow_project(tmp_path / "p", ORDERS)
    (project / "groundfog.toml").write_text("[reload]\ngrace = 200\n")
    with DevServer(project) as first:
        create(first, "one", {"hangs": True, "together": together})
        eventually(lambda: counts(first).get("B waits") == 1)
        first.wait_for("order A done")

        with interrupt(first) as second:
            done = wait_for_status(second, "one", "complete")

            assert done["output"] == ([A, B] if together else [A, B, C])
            charged = {"A charged": 1, "B charged": 1} | ({} if together else {"C charged": 1})
            assert counts(second) == {"B waits": 2} | charged
