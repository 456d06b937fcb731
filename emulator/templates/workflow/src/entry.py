"""The routes: an order comes in and starts a workflow, and somebody approves it."""

from urllib.parse import urlparse

from orders import OrderWorkflow  # Workers looks for the class in this module
from workers import Response, WorkerEntrypoint

__all__ = ["Default", "OrderWorkflow"]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        match (request.method, *urlparse(request.url).path.strip("/").split("/")):
            case ("POST", "orders"):
                return await self.order(await request.json())
            case ("GET", "orders", id):
                return await self.show(id)
            case ("POST", "orders", id, "approve"):
                instance = await self.env.ORDERS.get(id)
                await instance.send_event({"type": "approved", "payload": await request.json()})
                return Response.json({"id": id, "approved": True})
        return Response.json({"error": "no such route"}, status=404)

    async def order(self, order):
        instance = await self.env.ORDERS.create({"id": order["id"], "params": order})
        return Response.json({"id": instance.id}, status=202)

    async def show(self, id):
        row = await self.env.DB.prepare("SELECT * FROM orders WHERE id = ?").bind(id).first()
        if row is None:
            return Response.json({"error": f"no order {id}"}, status=404)
        return Response.json({"id": row.id, "item": row.item, "state": row.state})
