"""A real workerd whose D1 binding is ours: its own client module, our handler behind it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from bindings.d1 import D1
from bindings.d1.http import answer

_CONFIG = """
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "user", worker = .user),
    (name = "d1", external = (address = "127.0.0.1:%d", http = (style = host))),
  ],
  sockets = [ (name = "user", address = "127.0.0.1:0", http = (), service = "user") ],
);
const user :Workerd.Worker = (
  modules = [ (name = "worker.mjs", esModule = embed "worker.mjs") ],
  compatibilityDate = "2026-08-01",
  bindings = [
    (name = "DB", wrapped = (moduleName = "cloudflare-internal:d1-api",
                             innerBindings = [ (name = "fetcher", service = "d1") ])),
  ],
);
"""
_WORKER = Path(__file__).with_name("worker.mjs")


def ask_workerd(program: Path, folder: Path, calls: list[dict[str, Any]]) -> list[Any]:
    """Return what a worker in the workerd `program` gets for `calls` on a database in `folder`."""

    async def scenario() -> list[Any]:
        database = D1(folder / "d.sqlite")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(_asgi(database), log_level="error", lifespan="off")
            server = uvicorn.Server(config)
            server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
            serving = asyncio.create_task(server.serve([listener]))
            try:
                with _workerd(program, folder, listener.getsockname()[1]) as port:
                    async with httpx.AsyncClient(timeout=60) as client:
                        found = await client.post(f"http://127.0.0.1:{port}/", json=calls)
                assert found.status_code == 200, found.text
                answers: list[Any] = found.json()
                return answers
            finally:
                server.should_exit = True
                await serving
                await database.close()

    return asyncio.run(scenario())


def _asgi(database: D1) -> Callable[..., Awaitable[None]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        found = await answer(database, scope["method"], target, headers, body)
        raw = [(name.encode(), value.encode()) for name, value in found.headers.items()]
        await send({"type": "http.response.start", "status": found.status, "headers": raw})
        await send({"type": "http.response.body", "body": found.body})

    return app


@contextmanager
def _workerd(program: Path, folder: Path, d1_port: int) -> Iterator[int]:
    """Run workerd in `folder` and yield the port it listens on."""
    (folder / "worker.mjs").write_bytes(_WORKER.read_bytes())
    (folder / "config.capnp").write_text(_CONFIG % d1_port)
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [program, "serve", "config.capnp", f"--control-fd={writing}"],
        cwd=folder,
        pass_fds=[writing],
    )
    os.close(writing)
    try:
        with open(reading, encoding="utf-8") as control:
            for line in control:
                event = json.loads(line)
                if event.get("event") == "listen":
                    yield event["port"]
                    return
        raise AssertionError(f"workerd ended with {process.wait(10)} before it listened")
    finally:
        process.kill()
        process.wait(10)
