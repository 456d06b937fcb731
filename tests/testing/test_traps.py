"""What users of other test tools trip over, one test each; the docstrings say where it was seen."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from groundfog.testing import (
    AsyncWorker,
    Groundfog,
    StepContext,
    StuckError,
    UnusedMock,
    WaitTimeout,
    Worker,
)
from tests.testing import projects
from tests.waiting import eventually

pytestmark = pytest.mark.worker(project="fixtures/orders", now="2026-01-01T00:00Z")

ALONE = """
import sys, time
from groundfog.testing import Groundfog

groundfog = Groundfog(state=sys.argv[2])
worker = groundfog.worker(sys.argv[1])
worker.get("/")
print("ready", flush=True)
time.sleep(600)
"""
IN_XDIST = """
import os, pathlib, time

def test_hangs(worker):
    worker.get("/")
    pathlib.Path("pid.new").write_text(str(os.getpid()))
    os.rename("pid.new", "pid")
    time.sleep(600)
"""


def create(worker: Worker, id: str = "a") -> None:
    worker.env.ORDERS.create({"id": id, "params": {"id": id}})


def test_trap_fixture_and_test_on_different_event_loops(async_worker: AsyncWorker) -> None:
    """pytest-asyncio: "attached to a different loop". The fixture belongs to no loop."""
    for _ in range(3):
        assert asyncio.run(async_worker.get("/")).status_code == 200


def family_of(pid: int) -> list[psutil.Process]:
    """Return a process's descendants: host, forkserver and guest, at least."""
    family: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    assert len(family) >= 3
    return family


def test_trap_processes_that_outlive_a_test_process_that_is_killed(tmp_path: Path) -> None:
    """Trees of workerd that live for days, their ports taken, old servers tested silently."""
    project, state = projects.orders(tmp_path), tmp_path / "state"
    tests = subprocess.Popen(
        [sys.executable, "-c", ALONE, str(project), str(state)], stdout=subprocess.PIPE, text=True
    )
    assert tests.stdout is not None and tests.stdout.readline() == "ready\n"
    family = family_of(tests.pid)

    tests.kill()
    tests.wait()
    tests.stdout.close()

    eventually(lambda: not [each for each in family if each.is_running()])
    assert not list(state.rglob("*.sqlite"))


def test_trap_teardown_that_never_runs_when_xdist_loses_a_worker(tmp_path: Path) -> None:
    """xdist: fixtures of a killed worker are not torn down. Nothing needs to be, to end."""
    project = projects.orders(tmp_path, test_hangs=IN_XDIST)
    (project / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-n", "1", "--max-worker-restart=0"]
    plugins = [f"-pno:{name}" for name in ("cacheprovider", "asyncio", "anyio", "randomly")]
    with subprocess.Popen(
        [*command, *plugins, f"--basetemp={tmp_path / 'base'}"],
        cwd=project,
        stdout=subprocess.PIPE,
        text=True,
        env=projects.environment(),
    ) as tests:
        try:
            told = project / "pid"
            pid = int(eventually(lambda: told.read_text() if told.exists() else "", 60))
            family = family_of(pid)

            psutil.Process(pid).kill()
            said, _ = tests.communicate(timeout=60)
        finally:
            tests.kill()

    assert "crashed while running 'test_hangs.py::test_hangs'" in said
    eventually(lambda: not [each for each in family if each.is_running()])
    assert not list((tmp_path / "base").rglob("*.sqlite"))


def test_trap_time_skipping_that_is_silently_off_in_wider_scopes(groundfog: Groundfog) -> None:
    """Temporal: a session-scoped environment. Here the clock belongs to each worker."""
    with groundfog.worker("fixtures/orders", now="2026-01-01T00:00Z") as shared:
        for id in ("a", "b"):
            create(shared, id)
            order = shared.introspect_workflow_instance("ORDERS", id)
            order.wait_for_step("wait for approval")
            order.terminate()
        assert shared.clock.now == datetime(2026, 3, 2, tzinfo=UTC)


def test_trap_one_clock_for_all_tests(worker: Worker, groundfog: Groundfog) -> None:
    """Temporal: tests must run one after the other. Here each worker has a clock."""
    with groundfog.worker("fixtures/orders", now="2000-01-01T00:00Z") as other:
        other.clock.advance("1 day")
        assert (worker.clock.now.year, other.clock.now.day) == (2026, 2)


def test_trap_waiting_for_a_callback_by_sleeping(worker: Worker) -> None:
    """AWS, Inngest: sleeps until it waits, or waits that hang. Both are one call here."""
    create(worker)
    order = worker.introspect_workflow_instance("ORDERS", "a")
    with pytest.raises(StuckError, match=r'instance.send_event\("approved"'):
        order.result()
    assert worker.clock.now == datetime(2026, 1, 31, tzinfo=UTC)  # its timeout was not used up

    order.terminate()
    worker.introspect_workflow("ORDERS").on_wait("approved", lambda wait: {"by": wait.step})
    create(worker, "b")
    second = worker.introspect_workflow_instance("ORDERS", "b")
    assert second.result()["by"] == "wait for approval"


def test_trap_a_mock_that_is_never_used(worker: Worker) -> None:
    """pytest-httpx, respx: unused rules, swallowed requests. See `test_plugin.py` for the rest."""
    with pytest.raises(UnusedMock, match='steps that were called: "charge"'):
        with worker.introspect_workflow("ORDERS") as orders:
            create(worker)
            orders.mock_step_result("shipping", None)
            orders.one().wait_for_step("charge")


def test_trap_a_server_to_start_and_stop_for_each_test(
    worker: Worker, groundfog: Groundfog
) -> None:
    """aiobotocore: stopping a server took half a second for each test. Here nothing listens."""
    worker.get("/")
    host = psutil.Process(groundfog.host.pid)
    for process in (host, *host.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # a guest of the test before this one
            assert process.net_connections(kind="inet") == []


@pytest.mark.worker(vars={"GREETING": "mocked"})
def test_trap_env_of_class_workers_that_cannot_be_mocked(worker: Worker) -> None:
    """workers-sdk: `env` is given to the class by the platform. Options change it for a test."""
    assert worker.get("/").json()["greeting"] == "mocked"


def test_trap_interception_that_does_not_reach_all_code(worker: Worker) -> None:
    """workers-sdk: mocks of `fetch` end at the worker's own process. The host answers all."""
    worker.outbound.post("https://bank.example/charges").respond(json={"id": 7})
    worker.env.ORDERS.create({"id": "a", "params": {"id": "a", "bank": True}})
    order = worker.introspect_workflow_instance("ORDERS", "a")

    assert order.wait_for_step_result("charge") == {"charged": True, "id": 7}


@pytest.mark.worker(clock="real")
def test_trap_a_test_that_hangs_without_a_hint(worker: Worker) -> None:
    """workers-sdk: a timeout that says nothing. Here every wait ends, and shows what happened."""
    create(worker)

    with pytest.raises(WaitTimeout, match=r"Waited 0.3 s .*orders / a to end"):
        worker.introspect_workflow_instance("ORDERS", "a").result(timeout=0.3)


@pytest.mark.parametrize("number", [1, 2])
def test_trap_isolation_by_file_that_makes_tests_flaky(worker: Worker, number: int) -> None:
    """Dropped for speed elsewhere. Each test has state of its own here."""
    worker.env.DB.exec("INSERT INTO orders VALUES ('only', 'new')")
    assert len(worker.get("/").json()["orders"]) == 1


def test_trap_a_callback_that_is_executed_at_another_time(worker: Worker) -> None:
    """Inngest: mocks that run once, at the start. Here each attempt asks, when it begins."""
    seen = []

    def charge(context: StepContext) -> str:
        seen.append((context.attempt, worker.clock.now))
        if context.attempt == 1:
            raise ValueError("busy")
        return "done"

    worker.introspect_workflow("ORDERS").mock_step("charge", charge)
    create(worker)
    worker.introspect_workflow_instance("ORDERS", "a").wait_for_step("rest")

    assert seen == [
        (1, datetime(2026, 1, 1, tzinfo=UTC)),
        (2, datetime(2026, 1, 1, 0, 1, tzinfo=UTC)),
    ]


def test_trap_boilerplate_that_every_suite_needs(worker: Worker) -> None:
    """DBOS: destroy and reset before each test. The fixture is all there is."""
    assert worker.introspect_workflow("ORDERS").get() == []
