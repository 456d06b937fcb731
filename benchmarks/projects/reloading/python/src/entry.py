"""The worker that `benchmarks.reloading` edits; `../../typescript` is the same in TypeScript.

Each step leaves a row in D1: how often it was executed, and by which VERSION, is counted there.
"""

import asyncio
from urllib.parse import parse_qs, urlparse

from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

VERSION = "version 0"
NAP = "4 seconds"
TABLE = "CREATE TABLE IF NOT EXISTS effects (instance TEXT, effect TEXT, version TEXT)"


class Order(WorkflowEntrypoint):
    async def run(self, event, step):
        async def note(step, name, effect, seconds=0):
            async def execute():
                await self.effect(event["instanceId"], f"{effect} begins")
                await asyncio.sleep(seconds)
                await self.effect(event["instanceId"], effect)
                return {"done": effect}

            await step.do(name)(execute)()

        await note(step, "reserve", "reserve")
        await note(step, "charge", "charge")
        match event["payload"]["kind"]:
            case "event":
                await step.wait_for_event("approval", "approval", timeout="1 hour")
            case "step":
                await note(step, "pack", "pack", 3)
            case _:
                await step.sleep("settle", NAP)
        await note(step, "ship", "ship")
        return VERSION

    async def effect(self, instance, effect):
        insert = self.env.DB.prepare("INSERT INTO effects VALUES (?, ?, ?)")
        await insert.bind(instance, effect, VERSION).run()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlparse(request.url)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        orders = self.env.ORDERS
        match url.path:
            case "/version":
                return Response(VERSION)
            case "/create":
                await self.env.DB.prepare(TABLE).run()
                await orders.create(id=query["id"], params={"kind": query["kind"]})
                return Response("created")
            case "/approve":
                await (await orders.get(query["id"])).send_event(type="approval", payload={})
                return Response("sent")
            case "/status":
                return Response.json(await (await orders.get(query["id"])).status())
            case "/effects":
                select = self.env.DB.prepare("SELECT * FROM effects WHERE instance = ?")
                return Response.json((await select.bind(query["id"]).all()).results)
            case _:
                return Response("hello")
