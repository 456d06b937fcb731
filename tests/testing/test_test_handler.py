"""The handler `test` of a worker, which `workerd test` runs."""

from __future__ import annotations

import pytest

from groundfog.testing import Worker

pytestmark = pytest.mark.worker(project="fixtures/tails/logger")


def test_a_test_runs_the_handler_test_with_as_many_arguments_as_it_takes(worker: Worker) -> None:
    assert worker.rpc.test() is None
    assert [line["message"] for line in worker.logs] == ["heard 0 events"]
