"""A real workerd with a binding of ours: its own client module, our HTTP handler behind it."""

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
import pytest
import uvicorn

from bindings.http import HttpAnswer

# What answers a request of the client module: method, target, headers, body.
Answer = Callable[[str, str, dict[str, str], bytes], Awaitable[HttpAnswer]]

_CONFIG = """
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "user", worker = .user),
    (name = "binding", external = (address = "127.0.0.1:%(port)d", http = (style = host))),
  ],
  sockets = [ (name = "user", address = "127.0.0.1:0", http = (), service = "user") ],
);
const user :Workerd.Worker = (
  modules = [ (name = "worker.mjs", esModule = embed "worker.mjs") ],
  compatibilityDate = "2026-08-01",
  bindings = [ (name = "BINDING", wrapped = (
    moduleName = "cloudflare-internal:%(module)s",
    innerBindings = [ (name = "fetcher", service = "binding")%(inner)s ],
  )) ],
);
"""


def ask_workerd(
    folder: Path,
    worker: Path,
    module: str,
    answer: Answer,
    calls: list[dict[str, Any]],
    inner: str = "",
) -> list[Any]:
    """Return what `worker`, run in `folder` by the real workerd, answers to `calls`.

    Its `env.BINDING` is the client module `module` with `answer` behind it; `inner` are more
    bindings of that module, as capnp text that begins with a comma.
    """

    async def scenario() -> list[Any]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(_asgi(answer), log_level="error", lifespan="off")
            server = uvicorn.Server(config)
            server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
            serving = asyncio.create_task(server.serve([listener]))
            values = {"port": listener.getsockname()[1], "module": module, "inner": inner}
            try:
                with run_workerd(folder, worker, _CONFIG % values) as port:
                    async with httpx.AsyncClient(timeout=60) as client:
                        found = await client.post(f"http://127.0.0.1:{port}/", json=calls)
                assert found.status_code == 200, found.text
                answers: list[Any] = found.json()
                return answers
            finally:
                server.should_exit = True
                await serving

    return asyncio.run(scenario())


def _program() -> Path:
    folder = os.environ.get("GROUNDFOG_WRANGLER")
    if not folder:
        pytest.skip("GROUNDFOG_WRANGLER does not name a folder with wrangler installed")
    return Path(folder) / "node_modules" / "workerd" / "bin" / "workerd"


def _asgi(answer: Answer) -> Callable[..., Awaitable[None]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        found = await answer(scope["method"], target, headers, body)
        raw = [(name.encode(), value.encode()) for name, value in found.headers.items()]
        await send({"type": "http.response.start", "status": found.status, "headers": raw})
        await send({"type": "http.response.body", "body": found.body})

    return app


@contextmanager
def run_workerd(folder: Path, worker: Path, config: str) -> Iterator[int]:
    """Run workerd in `folder`, in UTC as wrangler does, and yield the port it listens on.

    `worker` is there as `worker.mjs`; `config` is capnp text with one socket.
    """
    program = _program()
    (folder / "worker.mjs").write_bytes(worker.read_bytes())
    (folder / "config.capnp").write_text(config)
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [program, "serve", "config.capnp", f"--control-fd={writing}"],
        cwd=folder,
        pass_fds=[writing],
        env={**os.environ, "TZ": "UTC"},
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
