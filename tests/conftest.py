"""Rules for every test: a skip is an error in CI, nothing is left behind, load is no failure."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.runner.forks import forks

# How long an example takes says more of the machine than of the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# A shell has what it runs in the background ignore Ctrl-C, and programs that tests start would too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SKIPS_ARE_ERRORS = "GROUNDFOG_SKIPS_ARE_ERRORS"


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Have half as many again as there are cores: a third of the time, tests wait."""
    cores = yield
    return cores + (cores + 1) // 2


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and SKIPS_ARE_ERRORS in os.environ:
        report.outcome = "failed"
        report.longrepr = f"skipped, which is an error here: {report.longrepr}"
    return report


@pytest.fixture(scope="session", autouse=True)
def shared_processes_end() -> Iterator[None]:
    """End what tests share when the last of them has run."""
    yield
    if forks.cache_info().currsize:
        forks().close()
