"""The worker the benchmarks run; `../../typescript` is the same in TypeScript.

An instance notes in this module when its `run` ends, so that measuring asks the server nothing
while the clock runs: every peer runs workflows and requests of a worker in one process or isolate.
"""

import asyncio
import time
import uuid
from urllib.parse import parse_qs, urlparse

from workers import Response, WorkerEntrypoint, WorkflowEntrypoint

VERSION = "version 0"
BATCH = 100  # the most that createBatch takes at once

# Which instances of a measurement have run to their end, and when the last one did.
finished: dict[str, set[int]] = {}
last_finished: dict[str, float] = {}


class Steps(WorkflowEntrypoint):
    async def run(self, event, step):
        payload = event["payload"]
        if "sleep" in payload:
            await step.sleep("nap", payload["sleep"])
        for number in range(payload["steps"]):

            @step.do(f"step-{number}")
            async def work():
                return {"done": True}

            await work()
        finished.setdefault(payload["measurement"], set()).add(payload["number"])
        last_finished[payload["measurement"]] = time.perf_counter()
        return "done"


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlparse(request.url)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match url.path:
            case "/d1":
                row = await self.env.DB.prepare("SELECT ? AS n").bind(42).first()
                return Response.json(row)
            case "/version":
                return Response(VERSION)
            case "/steps":
                return Response.json(await self.steps(int(query["instances"]), int(query["steps"])))
            case "/sleepers":
                sleep = query.get("sleep", "1 hour")
                sleeper = {"steps": 0, "sleep": sleep, "measurement": "sleepers"}
                await self.create(int(query["count"]), sleeper)
                return Response("sleeping")
            case _:
                return Response("hello")

    async def steps(self, instances, steps):
        """Run `instances` of `steps` each; return seconds until all exist, and until all ran."""
        measurement = uuid.uuid4().hex
        began = time.perf_counter()
        created = await self.create(instances, {"steps": steps, "measurement": measurement})
        created_seconds = time.perf_counter() - began
        while len(finished.get(measurement, ())) < instances:
            await asyncio.sleep(0.002)
        run_seconds = last_finished[measurement] - began
        for instance in created:
            while (await instance.status())["status"] != "complete":
                await asyncio.sleep(0.005)
        return {"created_seconds": created_seconds, "run_seconds": run_seconds}

    async def create(self, count, params):
        created = []
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            created += await self.env.STEPS.create_batch(
                [{"params": {**params, "number": number}} for number in numbers]
            )
        return created
