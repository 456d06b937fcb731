"""Objects of the test that stand in for other workers."""

from __future__ import annotations

import pytest

from groundfog.testing import BadOption, Groundfog, OutboundRequest, Worker, WorkerError


class Stock:
    """In place of the worker "stock"."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def left(self, article: str) -> int:
        self.asked.append(article)
        if article == "gold":
            raise ValueError("never had any")
        return 7

    async def worth(self, article: str) -> int:
        raise AssertionError("not awaited here")

    def fetch(self, request: OutboundRequest) -> tuple[int, dict[str, str]]:
        return 203, {"method": request.method}


STOCK = Stock()
pytestmark = pytest.mark.worker(project="fixtures/services/shop", bindings={"STOCK": STOCK})


def test_an_object_of_the_test_answers_for_another_worker(worker: Worker) -> None:
    response = worker.fetch("/stock")
    assert (response.status_code, response.json()) == (203, {"method": "GET"})
    assert worker.env.STOCK.left("tea") == 7
    with pytest.raises(WorkerError, match="never had any"):
        worker.fetch("/stock/gold")
    assert STOCK.asked == ["tea", "gold"]
    worker.reset()
    assert worker.fetch("/stock").status_code == 203
    with pytest.raises(WorkerError, match='does not implement the method "reorder"'):
        worker.fetch("/reorder/tea")


def test_only_bindings_to_other_workers_are_replaced(groundfog: Groundfog) -> None:
    wrong = {"PRICES": "bound to the worker itself", "STOK": "There are: PRICES, STOCK"}
    for name, why in wrong.items():
        with pytest.raises(BadOption, match=why):
            groundfog.worker("fixtures/services/shop", bindings={name: STOCK})
