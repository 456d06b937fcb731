"""The clock of a worker under test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from groundfog.testing import RefusedError, StuckError, Worker

pytestmark = pytest.mark.worker(project="fixtures/orders", now="2026-01-01T00:00Z")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def test_time_stands_still_until_it_is_moved(worker: Worker) -> None:
    assert worker.clock.now == BEGIN
    assert worker.clock.advance("36 hours") == BEGIN + timedelta(hours=36)
    assert worker.clock.advance(timedelta(minutes=1)) == BEGIN + timedelta(hours=36, minutes=1)
    assert worker.clock.move_to("2026-02-01T00:00Z") == datetime(2026, 2, 1, tzinfo=UTC)

    with pytest.raises(RefusedError, match="cannot be moved back"):
        worker.clock.move_to(BEGIN)
    with pytest.raises(RefusedError, match="five minutes"):
        worker.clock.advance("five minutes")


def test_time_goes_from_deadline_to_deadline(worker: Worker) -> None:
    worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
    order = worker.introspect_workflow_instance("ORDERS", "a")

    assert worker.clock.next() == [
        {"workflow": "orders", "instance": "a", "step": "rest", "type": "sleep"}
    ]
    assert worker.clock.now == BEGIN + timedelta(days=30)
    assert worker.clock.run_until_idle() == BEGIN + timedelta(days=37)
    assert order.get_error()["name"] == "WorkflowTimeoutError"
    assert worker.clock.next() == []


@pytest.mark.worker(clock="virtual")
def test_a_virtual_clock_moves_only_when_it_is_told(worker: Worker) -> None:
    worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
    order = worker.introspect_workflow_instance("ORDERS", "a")

    with pytest.raises(StuckError, match=r"Time stands still.* 2026-01-31T00:00:00"):
        order.wait_for_step("wait for approval")
    worker.clock.advance("30 days")
    order.wait_for_step("wait for approval")


def test_time_may_go_on_at_its_usual_speed(worker: Worker) -> None:
    began = worker.clock.run()
    later = worker.clock.now
    while later == began:
        later = worker.clock.now

    assert worker.clock.freeze() >= later
    assert worker.clock.now == worker.clock.now


@pytest.mark.worker(project="fixtures/cron")
def test_nothing_fires_by_itself_while_a_test_moves_time(worker: Worker) -> None:
    worker.clock.advance("2 days")
    assert worker.clock.next() == []
    assert worker.logs == []
