"""The life of a worker under test: restarted, edited, its runs dropped; emails; what is told."""

from __future__ import annotations

import pytest

from groundfog.testing import NotFound, RefusedError, Worker, WorkerLoadError

pytestmark = pytest.mark.worker(project="fixtures/orders", now="2026-01-01T00:00Z")


def begun(worker: Worker) -> None:
    worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
    worker.introspect_workflow_instance("ORDERS", "a").wait_for_step("wait for approval")


def test_a_worker_is_restarted_on_its_state(worker: Worker) -> None:
    begun(worker)
    before, number = worker.clock.now, worker.get("/visits").text

    worker.restart()

    assert worker.clock.now == before
    assert (number, worker.get("/visits").text) == ("1", "1")
    order = worker.introspect_workflow_instance("ORDERS", "a")
    order.send_event("approved", {"by": "ada"})
    assert order.result()["by"] == "ada"
    assert [(event.type, event.payload) for event in order.events] == [("approved", {"by": "ada"})]


def test_runs_that_only_wait_are_dropped_and_replayed(worker: Worker) -> None:
    begun(worker)

    assert worker.hibernate() == ["a"]
    assert worker.hibernate() == []
    order = worker.introspect_workflow_instance("ORDERS", "a")
    order.send_event("approved", {"by": "ada"})

    assert order.result()["by"] == "ada"
    with pytest.raises(NotFound, match="no instance b"):
        worker.hibernate("b")


@pytest.mark.worker(on_divergence="hold")
def test_changed_code_is_loaded_and_what_it_does_not_fit_is_held(worker: Worker) -> None:
    begun(worker)
    code = worker.source("src/entry.py")

    worker.edit({"src/entry.py": code.replace('"charge"', '"charge card"')})

    (held,) = worker.held
    assert (held["workflow"], held["id"]) == ("orders", "a")
    assert "charge card" in held["why"]
    with pytest.raises(WorkerLoadError, match="src/entry.py:1: ModuleNotFoundError"):
        worker.edit({"src/entry.py": "import nothing_like_this\n"})
    worker.edit({"src/entry.py": code})
    assert worker.held == []
    with pytest.raises(RefusedError, match="outside of the project"):
        worker.edit({"../other.py": ""})


def test_lines_say_for_whom_they_were_printed(worker: Worker) -> None:
    worker.get("/?a=1")

    assert worker.logs[0]["request"].startswith("GET /")


@pytest.mark.worker(project="fixtures/email")
def test_an_email_is_handed_to_its_handler(worker: Worker) -> None:
    answered = worker.email("ada@example.com", "shop@example.com", subject="hello", text="Hi")
    assert (answered.outcome, answered.reject_reason) == ("ok", None)
    assert "We have got it." in answered.replies[0]["raw"]

    raw = "From: a@b.example\nTo: shop@example.com\nMessage-ID: <1@b>\nSubject: spam\n\nBuy!\n"
    assert worker.email("a@b.example", "shop@example.com", raw).reject_reason == "No spam, please."
    forwarded = worker.email("ada@example.com", "shop@example.com", subject="question").forwards
    assert [each["recipient"] for each in forwarded] == ["support@example.com"]
    worker.get("/")
    (sent,) = worker.sent_emails
    assert (sent["from"], sent["subject"]) == ("shop@example.com", "Your order")
    assert sent["to"] == ["ada@example.com", "bob@example.com"] and "on its way" in sent["raw"]
    with pytest.raises(RefusedError, match="no message id"):
        worker.email("a@b.example", "shop@example.com", "Subject: x\n\n")
