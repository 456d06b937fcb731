"""What a test declares: answers of the network and of `env.AI`, faults of bindings, budgets."""

from __future__ import annotations

import asyncio

import pytest

from groundfog.testing import (
    AsyncWorker,
    JsException,
    NotFound,
    OutboundRequest,
    OverBudget,
    RefusedError,
    Worker,
    WorkerError,
)

pytestmark = pytest.mark.worker(project="fixtures/orders")
RATES = "https://bank.example/rates"


def test_a_rule_answers_what_the_worker_fetches(worker: Worker) -> None:
    rates = worker.outbound.post(RATES, json={"currency": "eur"}, params={"of": "eur"})
    rates.respond(201, json={"eur": 1}, headers={"x-limit": "9"})

    response = worker.get("/rates")

    assert (response.status_code, response.json()) == (201, {"eur": 1})
    (call,) = rates.calls
    assert (call.method, call.url) == ("POST", f"{RATES}?of=eur")
    assert call.headers["content-type"] == "application/json"
    assert call.json() == {"currency": "eur", "day": 1}
    assert (rates.call_count, len(worker.outbound.calls)) == (1, 1)


def test_the_last_rule_answers_first_and_each_as_often_as_it_says(worker: Worker) -> None:
    worker.outbound.post("https://bank.example/*").respond(503)
    worker.outbound.post(RATES).respond(text="busy").times(1)

    assert worker.get("/rates").text == "busy"
    assert worker.get("/rates").status_code == 503


def test_a_function_of_the_test_answers_and_may_raise(worker: Worker) -> None:
    def rates(request: OutboundRequest) -> tuple[int, dict[str, str]]:
        if request.json()["day"] == 1:
            return 404, {"error": "holiday"}
        raise AssertionError

    worker.outbound.post(RATES).answer(rates)
    assert worker.get("/rates").status_code == 404
    worker.outbound.post(RATES).raises("Connection reset")
    with pytest.raises(WorkerError, match="Connection reset"):
        worker.get("/rates")


@pytest.mark.worker(allow_hosts=["*.example"])
def test_hosts_may_be_allowed(worker: Worker) -> None:
    """There is no such host: what the system says of it shows that it was asked."""
    with pytest.raises(WorkerError) as raised:
        worker.get("/rates")
    assert raised.value.name not in ("NetworkRefused", "JsException")


def test_rules_answer_env_ai(worker: Worker) -> None:
    worker.ai.rule(model="@cf/meta/*", prompt="good name").sequence(
        ["Ada", {"error": {"code": 3040}}, "Bob"]
    )

    assert worker.get("/ask").text == "Ada"
    with pytest.raises(WorkerError, match="3040"):
        worker.get("/ask")
    assert worker.get("/ask").text == "Bob"
    assert [call["model"] for call in worker.ai.calls] == ["@cf/meta/llama-3.1-8b-instruct"] * 3
    with pytest.raises(OverBudget, match="1 calls of env.AI; 0 were expected"):
        with worker.ai.budget(calls=0, neurons=500):
            worker.get("/ask")
    assert worker.ai.neurons > 0
    with pytest.raises(RefusedError, match="cannot be used"):
        worker.ai.rule(prompt="(").text("never")


def test_calls_of_bindings_fail_are_slow_or_lose_their_answers(worker: Worker) -> None:
    worker.faults.fail("DB", "D1_ERROR: overloaded", nth=2)
    worker.faults.delay("DB", 1, times=1)

    assert worker.get("/").status_code == 200
    with pytest.raises(WorkerError, match="D1_ERROR: overloaded"):
        worker.get("/")
    assert worker.get("/").status_code == 200
    assert worker.env.DB.prepare("SELECT 1 AS one").first("one") == 1
    with pytest.raises(NotFound, match="There is no binding D. There are: AI, DB, ORDERS"):
        worker.faults.fail("D")


def test_a_step_whose_answer_is_lost_is_done_again_and_must_bear_it(worker: Worker) -> None:
    worker.faults.drop("DB", nth=1)
    worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
    order = worker.introspect_workflow_instance("ORDERS", "a")

    order.wait_for_step("rest")

    first, second = order.step("charge").attempts
    assert first.error is not None and "Network connection lost" in first.error["message"]
    assert second.success
    assert worker.d1("DB").rows("orders") == [{"id": "a", "state": "charged"}]


def test_the_statements_of_the_worker_are_counted(worker: Worker) -> None:
    with worker.d1("DB").max_queries(1):
        worker.get("/")
    with pytest.raises(OverBudget, match="The worker ran 2 statements; 1 were expected"):
        with worker.d1("DB").max_queries(1):
            worker.get("/")
            worker.get("/")


def test_the_scheduled_handler_is_called(worker: Worker) -> None:
    result = worker.scheduled("0 9 * * *", "2026-01-01T09:00Z")

    assert (result.outcome, result.no_retry) == ("ok", False)
    assert "tick 0 9 * * * 1767258000000" in [line["message"] for line in worker.logs]


def test_a_batch_of_a_queue_is_handled_and_what_was_said_of_it_is_returned(
    worker: Worker,
) -> None:
    result = worker.queue("jobs", ["done", {"id": "b", "body": "later", "attempts": 2}, b"bytes"])

    assert (result.outcome, result.ack_all) == ("ok", False)
    assert result.explicit_acks == ["message-1"]
    assert result.retry_messages == [{"id": "b", "delay_seconds": 30}]
    assert result.retry_batch == {"retry": False}
    assert worker.queue("jobs", ["broken"]).outcome == "exception"


def test_methods_of_the_worker_are_called(worker: Worker) -> None:
    assert worker.rpc.add(1, 2) == {"sum": 3}
    with pytest.raises(WorkerError, match='does not implement the method "subtract"'):
        worker.rpc.subtract(1, 2)


def test_all_of_it_can_be_awaited(async_worker: AsyncWorker) -> None:
    async def scenario() -> None:
        rates = async_worker.outbound.post(RATES).respond(text="1")
        await async_worker.ai.rule().text("Ada")
        await async_worker.faults.drop("DB", nth=1)
        assert (await async_worker.get("/rates")).text == "1"
        assert await rates.call_count == 1
        async with async_worker.ai.budget(calls=1):
            assert (await async_worker.get("/ask")).text == "Ada"
        with pytest.raises(WorkerError, match="connection lost"):
            await async_worker.get("/")
        assert await async_worker.d1("DB").rows("orders") == []
        assert (await async_worker.scheduled()).outcome == "ok"
        assert (await async_worker.rpc.add(1, 2))["sum"] == 3
        with pytest.raises(JsException, match="no such table"):
            await async_worker.env.DB.prepare("SELECT * FROM missing").all()

    asyncio.run(scenario())


@pytest.mark.worker(project="fixtures/planted")
def test_a_message_is_redelivered(worker: Worker) -> None:
    worker.faults.redeliver("JOBS", times=1)

    worker.env.STORES.create({"id": "a"})
    worker.introspect_workflow_instance("STORES", "a").result()

    assert worker.env.JOBS.metrics()["backlogCount"] == 2
