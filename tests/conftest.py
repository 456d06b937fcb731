"""Rules for every test: a skip is an error in CI, nothing is left behind, load is no failure."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

SKIPS_ARE_ERRORS = "GROUNDFOG_SKIPS_ARE_ERRORS"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and SKIPS_ARE_ERRORS in os.environ:
        report.outcome = "failed"
        report.longrepr = f"skipped, which is an error here: {report.longrepr}"
    return report
