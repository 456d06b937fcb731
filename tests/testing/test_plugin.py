"""The pytest plugin in projects of users: fixtures, marks, options, event loops, xdist."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing import projects

ASYNC = """
import asyncio
import anyio
import pytest


@pytest.mark.asyncio
async def test_pytest_asyncio(async_worker):
    both = await asyncio.gather(async_worker.get("/"), async_worker.get("/"))
    assert [each.status_code for each in both] == [200, 200]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_anyio(async_worker, anyio_backend):
    async with anyio.create_task_group() as group:
        group.start_soon(async_worker.get, "/")
    await async_worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
    order = async_worker.introspect_workflow_instance("ORDERS", "a")
    await order.wait_for_step("wait for approval")


@pytest.fixture
async def seeded(async_worker):
    await async_worker.env.DB.exec("INSERT INTO orders VALUES ('a', 'new')")
    return async_worker


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_fixture_of_another_loop(seeded, anyio_backend):
    assert len((await seeded.get("/")).json()["orders"]) == 1
"""
OPTIONS = """
import pytest


def test_fixture_and_module(worker):
    assert worker.get("/").json()["greeting"] == "from the fixture"


@pytest.mark.worker(vars={"GREETING": "from the mark"})
class TestMarks:
    def test_class(self, worker):
        assert worker.get("/").json()["greeting"] == "from the mark"

    @pytest.mark.worker(vars={"GREETING": "nearest"})
    def test_nearest(self, worker):
        assert worker.get("/").json()["greeting"] == "nearest"


@pytest.mark.worker(clok="real")
def test_unknown(worker):
    pass


@pytest.mark.worker(clock="slow")
def test_value(worker):
    pass


@pytest.fixture(scope="module")
def shared(groundfog):
    with groundfog.worker(".", vars={"GREETING": "shared"}) as worker:
        yield worker


def test_wider_scope(shared, worker):
    shared.env.DB.exec("INSERT INTO orders VALUES ('a', 'new')")
    assert worker.get("/").json()["orders"] == []
    assert shared.get("/").json() == {
        "greeting": "shared", "orders": [{"id": "a", "state": "new"}]
    }
"""
CONFTEST = """
import pytest


@pytest.fixture
def worker_options():
    return {"vars": {"GREETING": "from the fixture"}}
"""
JUDGED = """
def test_unused(worker):
    worker.introspect_workflow("ORDERS").mock_step_result("charg", 1)
    worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
    worker.introspect_workflow_instance("ORDERS", "a").wait_for_step("rest")


def test_unseen(worker):
    worker.introspect_workflow("ORDERS").mock_step_error("charge", "no", times=None)
    worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
    worker.clock.run_until_idle()


def test_swallowed(worker):
    def charge(context):
        assert context.attempt == 2

    orders = worker.introspect_workflow("ORDERS")
    orders.mock_step("charge", charge)
    worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
    orders.one().wait_for_step("rest")


def test_refused(worker):
    worker.durable_object("X", name="a").evict()


def test_shown(worker):
    worker.get("/")
    assert False


def test_fetches(worker):
    worker.outbound.post("https://bank.example/other").respond(200)
    assert worker.get("/rates-or-none").json() is None


def test_connects(worker):
    assert "reaches no network" in worker.get("/socket").text


def test_no_call(worker):
    worker.outbound.get("https://bank.example/rates")
    worker.ai.rule(prompt="name").text("Ada")
    worker.faults.fail("DB", nth=7)


def test_relaxed(worker):
    worker.outbound.get("https://bank.example/rates")
    worker.outbound.assert_all_called = False


def test_fine(worker):
    worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
"""
NAMESAKES = """
import sys
import bindings
import emulator


def test_names(worker):
    assert (emulator.MINE, bindings.MINE) == ("emulator", "bindings")
    assert worker.get("/").status_code == 200
    assert not [name for name in sys.modules if name.startswith(("emulator.", "bindings."))]
"""


PASS = """
test_pytest_asyncio test_anyio[asyncio] test_anyio[trio] test_fixture_of_another_loop[asyncio]
test_fixture_and_module test_class test_nearest test_wider_scope test_names test_fine test_relaxed
""".split()


def test_the_plugin_in_a_project_of_a_user_with_asyncio_anyio_trio_xdist_and_random_order(
    tmp_path: Path,
) -> None:
    """One run for all, since each costs seconds.

    Async tests under each plugin; options of the fixture and of marks, of which the nearest wins;
    workers of a wider scope; what a test leaves is judged and shown; the user's own `emulator` and
    `bindings`.
    """
    project = projects.orders(
        tmp_path,
        tests__test_async=ASYNC,
        options__test_options=OPTIONS,
        options__conftest=CONFTEST,
        tests__test_judged=JUDGED,
        tests__test_names=NAMESAKES,
        tests__emulator='MINE = "emulator"',
    )
    (project / "tests" / "bindings").mkdir()
    (project / "tests" / "bindings" / "__init__.py").write_text('MINE = "bindings"')

    ini = "asyncio_default_fixture_loop_scope = function\ngroundfog_unfinished = warn\n"
    ran = projects.run(project, "-n", "2", "--worker-keep", ini=ini)

    outcomes = ran.outcomes
    assert {name: outcomes.pop(name, "missing") for name in PASS} == dict.fromkeys(PASS, "passed")
    assert 'no option "clok". Did you mean "clock"?' in outcomes.pop("test_unknown")
    assert 'expected one of "auto", "virtual", "real"' in outcomes.pop("test_value")
    assert 'Did you mean "charge"?' in outcomes.pop("test_unused")
    assert "the test has not looked at it" in outcomes.pop("test_unseen")
    assert "assert 1 == 2" in outcomes.pop("test_swallowed")
    assert "assert False" in outcomes.pop("test_shown")
    refused = outcomes.pop("test_refused")  # shown without code of ours
    assert "There is no class or binding X" in refused and "groundfog/testing" not in refused
    fetched = outcomes.pop("test_fetches")
    assert "GET https://bank.example/rates is fetched, and no rule" in fetched
    assert "The nearest is POST https://bank.example/other" in fetched
    assert 'outbound.allow("bank.example")' in fetched
    assert "a connection to bank.example:443" in outcomes.pop("test_connects")
    never = outcomes.pop("test_no_call")
    assert "GET https://bank.example/rates; rule(prompt='name'); fail of call 7 of DB" in never
    assert outcomes == {}
    assert "listing the orders" in ran.text
    assert "groundfog dev --persist-to" in ran.text
    assert "The test leaves instances unfinished: orders / a (" in ran.text


def test_a_worker_that_does_not_load_is_one_error_for_its_module(tmp_path: Path) -> None:
    tests = "\n".join(f"def test_{n}(worker): pass" for n in range(3))
    project = projects.orders(tmp_path, tests__test_all=tests)
    (project / "src" / "entry.py").write_text("import nothing_like_this\n")

    outcomes = projects.run(project, *projects.PLAIN).outcomes

    assert "src/entry.py:1: ModuleNotFoundError" in outcomes["test_0"]
    for name in ("test_1", "test_2"):
        assert "see tests/test_all.py::test_0" in outcomes[name]
        assert "ModuleNotFoundError" not in outcomes[name]


def test_without_the_plugin_its_fixtures_are_not_there(tmp_path: Path) -> None:
    project = projects.orders(tmp_path, tests__test_one="def test_one(worker): pass")

    assert (
        "fixture 'worker' not found"
        in projects.run(project, "-p", "no:groundfog", *projects.PLAIN).text
    )


def test_a_plugin_that_nobody_uses_imports_nothing_more() -> None:
    program = (
        "import pytest, sys; known = set(sys.modules);"
        "import groundfog.testing.plugin; print(*sorted(set(sys.modules) - known))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert [name for name in done.stdout.split() if not name.startswith("__editable__")] == [
        *("groundfog", "groundfog.testing", "groundfog.testing.plugin"),
    ]


@pytest.mark.worker(project="fixtures/orders")
def test_our_own_suite_has_the_plugin(worker: object) -> None:
    assert repr(worker) == "<Worker orders>"
