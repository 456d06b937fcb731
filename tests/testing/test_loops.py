"""`async_worker` on asyncio, on trio, in several loops and threads, beside the other face."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.to_thread
import pytest

from groundfog.testing import AsyncWorker, StuckError, WaitContext, Worker

pytestmark = pytest.mark.worker(project="fixtures/orders")


async def scenario(worker: AsyncWorker) -> None:
    """Everything that waits, on whatever event loop runs."""
    orders = worker.introspect_workflow("ORDERS")

    async def approve(wait: WaitContext) -> dict[str, str]:
        await anyio.sleep(0)
        return {"by": wait.instance}

    await orders.on_wait("approved", approve)
    await worker.env.ORDERS.create({"id": "a", "params": {"id": "a"}})
    found = []

    async def get() -> None:
        found.append((await worker.get("/")).status_code)

    async def wait() -> None:
        order = await orders.one()
        assert await order.result() == {"by": "a", "charged": True}
        found.append((await order.step("ship")).output["by"])

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(get)
        group.start_soon(wait)
    assert sorted(found, key=str) == [200, 200, 200, 200, 200, "a"]
    with anyio.move_on_after(0.001):
        await worker.introspect_workflow_instance("ORDERS", "a").wait_for_status("paused")
    assert await worker.env.DB.prepare("SELECT id FROM orders").first("id") == "a"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_async_face_works_on_every_loop(async_worker: AsyncWorker, backend: str) -> None:
    try:
        anyio.run(scenario, async_worker, backend=backend)
    except* StuckError:
        pass  # it may come before the 1 ms is over


def test_both_faces_are_one_worker_and_loops_may_change(
    worker: Worker, async_worker: AsyncWorker
) -> None:
    worker.env.DB.exec("INSERT INTO orders VALUES ('a', 'new')")

    for _ in range(2):
        response = asyncio.run(async_worker.get("/"))
        assert response.json()["orders"] == [{"id": "a", "state": "new"}]


def test_threads_may_ask_at_the_same_time(worker: Worker) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: worker.get("/").status_code, range(20)))

    assert found == [200] * 20
