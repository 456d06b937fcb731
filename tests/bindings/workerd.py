"""A real workerd with a binding of ours: its own client module, our HTTP handler behind it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from bindings.http import HttpAnswer, StreamedAnswer
from tests.end_to_end.wrangler import wrangler_folder

# What answers a request of the client module: method, target, headers, body.
Answer = Callable[[str, str, dict[str, str], bytes], Awaitable[HttpAnswer | StreamedAnswer]]

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
  bindings = [ (name = "BINDING", %(binding)s) ],
);
"""
_WRAPPED = """wrapped = (
    moduleName = "cloudflare-internal:%(module)s",
    innerBindings = [ (name = "fetcher", service = "binding")%(inner)s ],
  )"""


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
    binding = _WRAPPED % {"module": module, "inner": inner}
    return ask_workerd_with(folder, worker, binding, answer, calls)


def ask_workerd_with(
    folder: Path, worker: Path, binding: str, answer: Answer, calls: list[dict[str, Any]]
) -> list[Any]:
    """Do the same with any binding, such as `kvNamespace = "binding"`; the service is "binding"."""

    conversations: set[asyncio.Task[Any] | None] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.current_task())
        try:
            await _converse(reader, writer, answer)
        finally:
            writer.close()

    async def scenario() -> list[Any]:
        async with await asyncio.start_server(converse, "127.0.0.1", 0) as server:
            values = {"port": server.sockets[0].getsockname()[1], "binding": binding}
            with run_workerd(folder, worker, _CONFIG % values) as port:
                async with httpx.AsyncClient(timeout=60) as client:
                    found = await client.post(f"http://127.0.0.1:{port}/", json=calls)
            await asyncio.gather(*filter(None, conversations))  # workerd has ended
            assert found.status_code == 200, found.text
            answers: list[Any] = found.json()
            return answers

    return asyncio.run(scenario())


def _program() -> Path:
    return wrangler_folder() / "node_modules" / "workerd" / "bin" / "workerd"


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer
) -> None:
    """Answer the requests of one connection. Unlike ASGI, it can send a reason phrase."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
            first, *lines = head.strip().split("\r\n")
            method, target, _ = first.split(" ")
            pairs = [line.split(":", 1) for line in lines]
            headers = {name.strip().lower(): value.strip() for name, value in pairs}
            found = await answer(method, target, headers, await _body(reader, headers))
            if isinstance(found, StreamedAnswer):
                assert found.body is not None
                data = b"".join([piece async for piece in found.body])
                assert found.length == len(data)
                found = HttpAnswer(found.status, dict(found.headers), data)
            reason = found.reason or HTTPStatus(found.status).phrase
            sent = {**found.headers, "content-length": str(len(found.body))}
            told = [f"HTTP/1.1 {found.status} {reason}", *(f"{n}: {v}" for n, v in sent.items())]
            writer.write("\r\n".join([*told, "", ""]).encode("latin-1") + found.body)
            await writer.drain()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


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
