"""The pytest plugin: options, marks, the fixtures `worker`, `async_worker` and `groundfog`.

pytest imports it in every project where Groundfog is installed, so it imports nothing that takes
time before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from groundfog.testing.aio.worker import AsyncWorker
    from groundfog.testing.items import TestWorkers
    from groundfog.testing.session import Groundfog
    from groundfog.testing.sync.worker import Worker

_MARK = (
    "worker(project='.', environment='', vars={}, clock='auto', …): options of the worker that the"
    " fixtures worker and async_worker give to this test (Groundfog)"
)
_SURVIVES = (
    "survives_crash(points='all', twice=True, orders=0, ignore=()): run this test again with a"
    " crash of its worker at each point in turn; what comes of it must be the same (Groundfog)"
)
_INI = {
    "groundfog_project": "The folder of the worker under test, relative to the ini file.",
    "groundfog_environment": "The environment of its wrangler configuration.",
    "groundfog_clock": "Its clock: auto, virtual or real.",
}
_UNFINISHED = "What becomes of a test that leaves instances unfinished: ignore, warn or fail."


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the command line and of the ini file."""
    group = parser.getgroup("groundfog", "workers under test (Groundfog)")
    group.addoption("--worker-env", metavar="NAME", help="Environment of every worker.")
    group.addoption(
        "--worker-keep", action="store_true", help="Keep the state of workers whose tests fail."
    )
    group.addoption(
        "--worker-logs",
        choices=("failed", "all", "none"),
        default="failed",
        help="Of which tests the logs and timelines are shown [failed].",
    )
    group.addoption(
        "--worker-crash-at",
        metavar="POINT",
        help="Of tests that must survive a crash: this only, such as commit:3 or order:0.1.",
    )
    group.addoption(
        "--ai-record",
        choices=("none", "once", "new_episodes", "all"),
        default="none",
        help="Of tests with ai='replay': record answers of env.AI that are missing, or all [none].",
    )
    group.addoption("--worker-real-time", action="store_true", help="Give every worker real time.")
    for name, text in _INI.items():
        parser.addini(name, text)
    parser.addini("groundfog_unfinished", _UNFINISHED, default="ignore")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", _MARK)
    config.addinivalue_line("markers", _SURVIVES)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the host of this process, if one was started."""
    host = config.stash.get(_HOST, None)
    if host is not None:
        host.stop()


_HOST = pytest.StashKey[Any]()
_WORKERS = pytest.StashKey["TestWorkers"]()


@pytest.fixture
def worker_options() -> dict[str, Any]:
    """Options of the worker; override this fixture to give some to all tests of a folder."""
    return {}


@pytest.fixture
def worker(_test_workers: TestWorkers) -> Worker:
    """A real worker with real bindings, with fresh state and a clock of its own.

    Its options: `@pytest.mark.worker(…)`.
    """
    return _test_workers.worker


@pytest.fixture
def async_worker(_test_workers: TestWorkers) -> AsyncWorker:
    """The same as `worker`, to be awaited: on asyncio and on trio, under any pytest plugin."""
    return _test_workers.async_worker


@pytest.fixture
def _test_workers(
    request: pytest.FixtureRequest, worker_options: dict[str, Any]
) -> Iterator[TestWorkers]:
    from groundfog.testing.items import TestWorkers

    workers = TestWorkers(request, worker_options, request.getfixturevalue("groundfog"))
    request.node.stash[_WORKERS] = workers
    yield workers
    workers.end()


@pytest.fixture(scope="session")
def groundfog(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Groundfog]:
    """What opens workers: several in one test, or of a wider scope.

    `with groundfog.worker("services/api", environment="staging") as api: …`
    """
    from groundfog.testing.items import new_session

    session = new_session(request.config, tmp_path_factory, _HOST)
    yield session
    session.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Run a test that must survive a crash once more for each point."""
    mark = item.get_closest_marker("survives_crash")
    if mark is None:
        return (yield)
    workers = item.stash.get(_WORKERS, None)
    if workers is None:
        pytest.fail("survives_crash is for tests that use worker or async_worker", pytrace=False)
    survival = workers.survival(mark)
    result = yield
    workers.survive(survival)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the workers did to the report of a test."""
    report = yield
    workers = item.stash.get(_WORKERS, None)
    if workers is not None:
        workers.reported(report)
    return report
