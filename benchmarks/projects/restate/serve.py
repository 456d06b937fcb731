"""The workflow of the benchmarks on Restate; run as `python serve.py PORT`.

Starts the server named by RESTATE_SERVER beside itself, registers the workflow with it, and answers
what `../python` answers to `/steps`, measured in the same way: in the process that runs the
workflows, until the last one ends. Started one by one through the server's ingress, which has no
batch.
"""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx
import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

STARTS_AT_ONCE = 20

finished: dict[str, int] = {}
last_finished: dict[str, float] = {}

steps_workflow = restate.Workflow("Steps")


async def work():
    return {"done": True}


@steps_workflow.main()
async def run(ctx: restate.WorkflowContext, params: dict) -> str:
    for number in range(params["steps"]):
        await ctx.run_typed(f"step-{number}", work)
    measurement = params["measurement"]
    finished[measurement] = finished.get(measurement, 0) + 1
    last_finished[measurement] = time.perf_counter()
    return "done"


async def steps(ingress, instances, steps):
    measurement = uuid.uuid4().hex
    limit = asyncio.Semaphore(STARTS_AT_ONCE)

    async def start(number):
        async with limit:
            url = f"/Steps/{measurement}-{number}/run/send"
            body = {"steps": steps, "measurement": measurement}
            (await ingress.post(url, json=body)).raise_for_status()

    began = time.perf_counter()
    await asyncio.gather(*(start(number) for number in range(instances)))
    created_seconds = time.perf_counter() - began
    while finished.get(measurement, 0) < instances:
        await asyncio.sleep(0.002)
    return {
        "created_seconds": created_seconds,
        "run_seconds": last_finished[measurement] - began,
    }


def front(ingress):
    """Answer `/` and `/steps`, as an ASGI application."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        body = b"hello"
        if scope["path"] == "/steps":
            pairs = (pair.split("=") for pair in scope["query_string"].decode().split("&"))
            result = await steps(ingress, **{name: int(value) for name, value in pairs})
            body = httpx.Response(200, json=result).content
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


async def listening(app, port):
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "ERROR"
    return await serve(app, config, shutdown_trigger=asyncio.Event().wait)


async def registered(admin, service):
    """Register the workflow as soon as the server takes it."""
    async with httpx.AsyncClient(base_url=admin) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.post("/deployments", json={"uri": service})
                if answer.is_success:
                    return
            await asyncio.sleep(0.1)


async def main():
    ingress, admin, node, service = (free_port() for _ in range(4))
    environment = {
        **os.environ,
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LISTEN_MODE": "tcp",
    }
    command = [
        os.environ["RESTATE_SERVER"],
        "--no-logo",
        "--base-dir",
        str(Path("state").resolve()),
    ]
    server = subprocess.Popen(command, env=environment)
    try:
        app = asyncio.create_task(listening(restate.app([steps_workflow]), service))
        await registered(f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{service}")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ingress}") as client:
            await asyncio.gather(app, listening(front(client), int(sys.argv[1])))
    finally:
        server.terminate()


asyncio.run(main())
