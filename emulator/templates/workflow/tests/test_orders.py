"""The workflow waits for a person and sleeps for a day. These tests take no time."""

ORDER = {"id": "order-1", "item": "a lamp"}


def test_an_approved_order_is_shipped(worker):
    assert worker.post("/orders", json=ORDER).status_code == 202
    order = worker.introspect_workflow_instance("ORDERS", "order-1")
    order.wait_for_step("approval")
    assert worker.get("/orders/order-1").json()["state"] == "charged"

    worker.post("/orders/order-1/approve", json={"by": "ada"})

    assert order.result() == {"amount": 12, "approved_by": "ada"}
    assert worker.get("/orders/order-1").json()["state"] == "shipped"


def test_a_charge_that_fails_is_tried_again(worker):
    with worker.introspect_workflow("ORDERS") as orders:
        orders.mock_step_error("charge", ConnectionError("the bank is busy"), times=2)
        orders.mock_event("approved", {"by": "ada"})
        worker.post("/orders", json=ORDER)

        assert orders.one().result()["approved_by"] == "ada"
        assert len(orders.one().step("charge").attempts) == 3
