"""Workflows under test: looking into instances, waiting for them, mocking steps and events."""

from __future__ import annotations

import pytest

from groundfog.testing import (
    TIMEOUT,
    Instance,
    NotFound,
    RefusedError,
    StepContext,
    StuckError,
    UnusedMock,
    WaitTimeout,
    Worker,
    WorkflowFailed,
)

pytestmark = pytest.mark.worker(project="fixtures/orders", now="2026-01-01T00:00Z")


def started(worker: Worker, **params: object) -> Instance:
    """Return an order that has just been made."""
    worker.env.ORDERS.create({"id": "order-1", "params": {"id": "order-1", **params}})
    return worker.introspect_workflow_instance("ORDERS", "order-1")


def test_an_instance_that_sleeps_30_days_and_waits_for_an_event_ends_at_once(
    worker: Worker,
) -> None:
    order = started(worker)

    order.wait_for_step("wait for approval")
    order.send_event("approved", {"by": "ada"})

    assert order.result() == {"by": "ada", "charged": True}
    assert (order.status, order.get_output()) == ("complete", {"by": "ada", "charged": True})
    assert [(step.name, step.type, step.status) for step in order.steps] == [
        ("charge", "do", "succeeded"),
        ("rest", "sleep", "succeeded"),
        ("wait for approval", "waitForEvent", "succeeded"),
        ("ship", "do", "succeeded"),
    ]
    rest = order.step("rest")
    assert rest.started is not None and rest.ended is not None
    assert (rest.ended - rest.started).days == 30
    assert worker.clock.now.isoformat() == "2026-01-31T00:00:00+00:00"
    assert len(order.history()["entries"]) > 4


def test_a_wait_that_needs_an_event_fails_at_once_and_says_which(worker: Worker) -> None:
    order = started(worker)

    with pytest.raises(StuckError) as raised:
        order.result()

    assert 'order-1 waits for the event "approved" in step "wait for approval"' in str(raised.value)
    assert 'instance.send_event("approved", payload)' in str(raised.value)
    assert "+30d" in str(raised.value)  # its timeline


def test_a_wait_for_what_never_comes_has_a_deadline(worker: Worker) -> None:
    worker.introspect_workflow("ORDERS").hold("charge")
    order = started(worker)

    with pytest.raises(StuckError, match=r'workflow.release\("charge"\)'):
        order.result()
    with pytest.raises(NotFound, match="no workflow with the binding ORDER. It has ORDERS"):
        worker.introspect_workflow_instance("ORDER", "order-1").result()
    with pytest.raises(StuckError, match="orders has no instance order-2. It has order-1"):
        worker.introspect_workflow_instance("ORDERS", "order-2").result()
    worker.introspect_workflow("ORDERS").release("charge")
    with pytest.raises(RefusedError, match="No step"):
        worker.introspect_workflow("ORDERS").release("charge")


@pytest.mark.worker(clock="real")
def test_real_time_is_waited_for_until_the_deadline(worker: Worker) -> None:
    order = started(worker)

    assert order.wait_for_step_result("charge") == {"charged": True}
    with pytest.raises(WaitTimeout, match=r"Waited 0.05 s of real time for orders / order-1"):
        order.result(timeout=0.05)
    with pytest.raises(RefusedError, match="cannot be moved"):
        worker.clock.advance("1 day")


def test_results_errors_and_timeouts_of_steps_are_mocked_attempt_by_attempt(
    worker: Worker,
) -> None:
    with worker.introspect_workflow("ORDERS") as orders:
        orders.mock_step_error("charge", ValueError("no credit"), times=2)
        orders.mock_event("approved", {"by": "bob"})
        orders.mock_step_result("ship", 0)
        order = started(worker)

        assert order.result() == 0
        assert orders.one().id == "order-1"

    charge = order.step("charge")
    assert [attempt.error and attempt.error["message"] for attempt in charge.attempts] == [
        *("no credit", "no credit"),
        None,
    ]
    assert charge.output == {"charged": True}
    assert charge.ended is not None and charge.started is not None
    assert (charge.ended - charge.started).seconds == 60 + 120


def test_a_step_that_times_out_is_retried_without_its_delay(worker: Worker) -> None:
    orders = worker.introspect_workflow("ORDERS")
    orders.force_step_timeout("charge", times=1)
    orders.disable_retry_delays("charge")
    orders.disable_sleeps()
    order = started(worker)

    order.wait_for_step("wait for approval")

    first, second = order.step("charge").attempts
    assert first.error == {
        "name": "WorkflowTimeoutError",
        "message": "Execution timed out after 600000ms",
    }
    assert second.success
    assert worker.clock.now.isoformat() == "2026-01-01T00:00:00+00:00"


def test_a_function_takes_the_place_of_a_step_and_another_answers_waits(worker: Worker) -> None:
    orders = worker.introspect_workflow("ORDERS")

    def charge(context: StepContext) -> dict[str, int]:
        if context.attempt == 1:
            raise ValueError("busy")
        return {"charged": context.attempt}

    orders.mock_step("charge", charge)
    orders.on_wait("approved", lambda wait: {"by": wait.instance})
    ship = orders.spy(("ship", 1))

    assert started(worker).result() == {"by": "order-1", "charged": 2}
    assert ship.call_count == 1


def test_a_wait_for_an_event_times_out_when_it_is_told_to(worker: Worker) -> None:
    worker.introspect_workflow("ORDERS").on_wait("approved", lambda wait: TIMEOUT)

    with pytest.raises(WorkflowFailed, match="Execution timed out") as raised:
        started(worker).result()
    assert raised.value.status == "errored"

    worker.reset()
    worker.introspect_workflow("ORDERS").force_event_timeout("wait for approval")
    order = started(worker)
    order.wait_for_status("errored")
    assert order.get_error()["name"] == "WorkflowTimeoutError"


def test_a_failed_instance_shows_what_it_did(worker: Worker) -> None:
    worker.introspect_workflow("ORDERS").mock_event("approved", {"by": "ada"})
    order = started(worker, fails=True)

    with pytest.raises(WorkflowFailed, match="order-1 is errored: ValueError: no stock") as raised:
        order.result()

    assert "✗ ship" in raised.value.timeline
    with pytest.raises(StuckError, match="so it will not be paused any more"):
        order.wait_for_status("paused")


def test_the_life_of_an_instance_is_in_the_hands_of_the_test(worker: Worker) -> None:
    orders = worker.introspect_workflow("ORDERS")
    order = started(worker)
    order.wait_for_step("rest")

    assert order.pause() == "paused"
    assert order.resume() in ("running", "queued", "waiting")
    assert order.skip("rest") == "rest-1"
    order.wait_for_step("wait for approval")
    assert order.restart(from_="rest") in ("queued", "running", "waiting")
    order.wait_for_step("wait for approval")
    assert len([step for step in order.steps if step.name == "charge"]) == 1
    assert order.terminate() == "terminated"
    order.delete()
    assert orders.get() == []


def test_a_mock_that_is_never_used_is_an_error_with_the_nearest_step(worker: Worker) -> None:
    with pytest.raises(UnusedMock, match='Did you mean "charge"'):
        with worker.introspect_workflow("ORDERS") as orders:
            orders.mock_step_result("charg", None)
            started(worker).wait_for_step("rest")


def test_one_thing_is_mocked_once(worker: Worker) -> None:
    orders = worker.introspect_workflow("ORDERS")
    orders.mock_step_result("charge", 1)

    with pytest.raises(RefusedError, match='step "charge" of orders is mocked twice'):
        orders.mock_step_error("charge", "no")
    orders.dispose()


def test_a_fork_shares_the_past_and_has_another_future(worker: Worker) -> None:
    worker.introspect_workflow("ORDERS").mock_event("approved", {"by": "ada"})
    order = started(worker)
    order.result()

    again = order.fork("ship", id="order-2")
    changed = order.fork("ship", output={"by": "eve"}, params={"id": "other"})

    assert again.result() == order.get_output()
    assert order.diff(again) == []
    assert changed.result() == {"by": "eve"}
    assert [(each.where, each.one, each.other) for each in order.diff(changed)] == [
        ("params.id", "order-1", "other"),
        ('step "ship-1" output.by', "ada", "eve"),
        ('step "ship-1" output.charged', True, "absent"),
        ("output.by", "ada", "eve"),
        ("output.charged", True, "absent"),
    ]
    assert worker.d1("DB").rows("orders") == [{"id": "order-1", "state": "charged"}]
    with pytest.raises(RefusedError, match='Step "shipping" not found'):
        order.fork("shipping")
    with pytest.raises(RefusedError, match="Only a `do` has an output"):
        order.fork("rest", output=1)
    with pytest.raises(RefusedError, match="already exists"):
        order.fork("ship", id="order-2")
