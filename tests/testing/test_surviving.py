"""`@pytest.mark.survives_crash`: planted mistakes are found, and sound code passes."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from groundfog.testing import AsyncWorker, Worker
from tests.testing import projects

pytestmark = pytest.mark.worker(project="fixtures/planted")
BANK = "https://bank.example/charges"
PLANTED = """
import pytest

pytestmark = pytest.mark.survives_crash


@pytest.fixture(autouse=True)
def rows(worker):
    worker.env.DB.exec("CREATE TABLE rows (id TEXT)")


def result(worker, binding):
    getattr(worker.env, binding).create({"id": "a"})
    return worker.introspect_workflow_instance(binding, "a").result()


def test_repeats(worker):
    result(worker, "REPEATS")


@pytest.mark.survives_crash(twice=False)
def test_remembers(worker):
    assert result(worker, "REMEMBERS")


def test_charges(worker):
    worker.outbound.post("https://bank.example/charges")
    result(worker, "CHARGES")


@pytest.mark.survives_crash(points=1)
@pytest.mark.parametrize("name", ["DATES", "DRAWS"])
def test_time_and_chance(worker, name):
    result(worker, name)


@pytest.mark.survives_crash(points=1, orders=6)
@pytest.mark.parametrize("name", ["RACES", "OVERTAKEN"])
def test_orders(worker, name):
    result(worker, name)


def test_stores(worker):
    result(worker, "STORES")


@pytest.mark.survives_crash(point=3)
def test_option(worker):
    pass
"""


@pytest.fixture
def stored(worker: Worker) -> Worker:
    """The worker with a table: each run of the test begins with it."""
    worker.env.DB.exec("CREATE TABLE rows (id TEXT PRIMARY KEY)")
    return worker


@pytest.mark.survives_crash
def test_sound_code_survives_a_crash_at_every_point(stored: Worker) -> None:
    assert stored.d1("DB").rows("rows") == []
    stored.env.SOUND.create({"id": "a"})

    assert stored.introspect_workflow_instance("SOUND", "a").result() == 2


@pytest.mark.survives_crash(points=3)
def test_requests_with_one_idempotency_key_are_one(async_worker: AsyncWorker) -> None:
    async def scenario() -> None:
        async_worker.outbound.post(BANK)
        await async_worker.env.KEYED.create({"id": "a"})
        assert await async_worker.introspect_workflow_instance("KEYED", "a").result() is None

    asyncio.run(scenario())


def test_planted_mistakes_are_found_with_the_place_and_a_command(tmp_path: Path) -> None:
    project = tmp_path / "planted"
    shutil.copytree(projects.FIXTURES / "planted", project)
    (project / "test_planted.py").write_text(PLANTED)

    outcomes = projects.run(project, *projects.PLAIN).outcomes

    repeats = outcomes["test_repeats"]
    assert 'At end:1 (step "store" #1 is executed twice, src/entry.py:43)' in repeats
    assert "table rows of DB: 1 before, 2 with the crash" in repeats
    assert "Again: pytest 'test_planted.py::test_repeats' --worker-crash-at end:1" in repeats
    remembers = outcomes["test_remembers"]
    assert 'step success "note"' in remembers and "It fails then" in remembers
    assert f"+POST {BANK} b''" in outcomes["test_charges"]
    assert "survives_crash has no option point" in outcomes["test_option"]
    assert "the replay does not ask for step" in outcomes["test_time_and_chance[DATES]"]
    assert "(src/entry.py:84)" in outcomes["test_time_and_chance[DATES]"]
    assert "draws / a: the replay returns another output" in outcomes["test_time_and_chance[DRAWS]"]
    assert "+output: ['other', 'one']" in outcomes["test_orders[RACES]"]
    assert "--worker-crash-at order:" in outcomes["test_orders[RACES]"]
    assert 'sleep "limit" is over, before step "work"' in outcomes["test_orders[OVERTAKEN]"]
    stores = outcomes["test_stores"]
    assert "+count: b'2'" in stores and "+file 2: 4 bytes" in stores
    assert "messages to JOBS, without the crash (-)" in stores


def test_fuzz_finds_a_race_and_its_command_finds_it_again() -> None:
    folder = projects.FIXTURES / "planted"
    fuzz = ["workflows", "fuzz", "races", "--points", "1", "--orders", "5"]

    found = _groundfog(folder, *fuzz)
    again = next(line for line in found.splitlines() if "Again: " in line)
    repeated = _groundfog(folder, *shlex.split(again)[2:])

    assert "In another order:" in found and "+output: ['other', 'one']" in found
    assert "+output: ['other', 'one']" in repeated


def _groundfog(folder: Path, *args: str) -> str:
    """Return what a command prints that finds something."""
    command = [sys.executable, "-m", "groundfog", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1, done.stderr
    return done.stdout


def test_the_guest_is_killed_by_hand_and_workflows_go_on(stored: Worker) -> None:
    stored.env.SOUND.create({"id": "a"})
    instance = stored.introspect_workflow_instance("SOUND", "a")
    instance.wait_for_step("rest")

    stored.kill()

    assert instance.result() == 2
    assert len(instance.step("store").attempts) == 1
