"""Durable Objects of a worker under test: storage, alarms, eviction."""

from __future__ import annotations

import pytest

from groundfog.testing import NotFound, RefusedError, Worker, WorkerError

pytestmark = pytest.mark.worker(project="fixtures/durable-objects")


def test_a_test_looks_into_the_storage_of_an_object(worker: Worker) -> None:
    worker.post("/lists/food", json={"item": "tea"})
    food = worker.durable_object("LISTS", name="food")

    assert food.storage.sql.exec("SELECT name FROM items") == [{"name": "tea"}]
    food.storage.sql.exec("INSERT INTO items (name) VALUES (?)", "milk")

    assert worker.get("/lists/food").json() == ["tea", "milk"]
    (found,) = worker.durable_object_ids("ShoppingList")
    assert found["name"] == "food"
    by_id = worker.durable_object("ShoppingList", id=found["id"])
    assert len(by_id.storage.sql.exec("SELECT * FROM items")) == 2
    with pytest.raises(RefusedError, match="no such table"):
        food.storage.sql.exec("SELECT * FROM missing")
    with pytest.raises(NotFound, match="There are: ChatRoom, Counter, ShoppingList"):
        worker.durable_object_ids("LIST")


def test_an_alarm_rings_when_the_test_says_so(worker: Worker) -> None:
    counter = worker.durable_object("COUNTERS", name="a")
    assert counter.alarm is None
    assert counter.run_alarm() is False
    stub = worker.env.COUNTERS.getByName("a")
    stub.increment(7)
    stub.reset_in(86_400_000)
    assert counter.alarm is not None

    assert counter.run_alarm() is True

    assert (stub.value(), counter.storage.list(), counter.alarm) == (0, {"value": 0}, None)
    stub.increment(100)
    stub.reset_in(86_400_000)
    with pytest.raises(WorkerError, match="too large to be reset"):
        counter.run_alarm()


def test_an_object_is_taken_out_of_memory_and_keeps_its_storage(worker: Worker) -> None:
    counter = worker.durable_object("COUNTERS", name="a")
    assert counter.evict() is False
    worker.post("/counters/a")

    assert counter.evict() is True

    assert worker.post("/counters/a").json() == 2
    assert counter.storage.get("value") == 2
