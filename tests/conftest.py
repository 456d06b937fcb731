"""Rules for every test: a skip is an error in CI, nothing is left behind."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

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
