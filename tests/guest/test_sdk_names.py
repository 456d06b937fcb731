"""Names of the SDK beside requests and values, and handlers in the style of old projects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.guest.test_bindings import seen
from tests.runner.running import Running, run, write

OLD = "2025-08-01"


def test_the_names_of_the_published_sdk_can_be_imported(tmp_path: Path) -> None:
    code = """
import workers
from workers import (Blob, BlobEnding, BlobValue, Body, Context, FetchKwargs, FetchResponse,
    Headers, JSBody, RequestInitCfProperties, import_from_javascript, patch_env)
from workers.fetch import fetch
from workers.rpc import _BindingWrapper, _EnvWrapper, JsDict
from workers.types import Context as C
from workers.utils import get_compat_flag, _to_js_headers
from workers.gateway import BaseOptions
import workers.request, workers.response, workers.blob, workers.formdata, workers.entrypoints
out = [all(hasattr(workers, name) for name in workers.__all__), workers.fetch is fetch,
       _EnvWrapper(workers.env) is workers.env, get_compat_flag("python_workers"),
       get_compat_flag("nothing"), _to_js_headers({"A": "b"}).get("a")]
"""
    assert seen(tmp_path, code, {}) == [True, True, True, True, False, "b"]


def test_env_can_be_patched_for_a_while(tmp_path: Path) -> None:
    code = """
from workers import patch_env
with patch_env({"NAME": "inner"}, OTHER=1):
    out = [env.NAME, self.env.OTHER]
out += [env.NAME, hasattr(env, "OTHER")]
"""
    found = seen(tmp_path, code, {}, variables={"NAME": "outer"})
    assert found == ["inner", 1, "outer", False]


def test_modules_of_the_runtime_are_imported_or_refused_by_name(tmp_path: Path) -> None:
    code = """
from workers import import_from_javascript
module = import_from_javascript("cloudflare:workers")
out = [module.env is env, module.WorkerEntrypoint.__name__]
try:
    import_from_javascript("node:fs")
except ImportError as error:
    out.append(str(error).startswith("Failed to import 'node:fs': Groundfog does not emulate it"))
"""
    assert seen(tmp_path, code, {}) == [True, "WorkerEntrypoint", True]


def test_functions_of_the_main_module_are_handlers_at_old_dates(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": """
                from js import Response
                from workers import Response as Ours, handler

                async def on_fetch(request, env, ctx):
                    if request.url.endswith("/sdk"):
                        return await wrapped(request, env)
                    return Response.new(f"{request.method} {env.NAME} {ctx is not None}")

                @handler
                async def wrapped(request, env):
                    return Ours(request.headers["x-none"] or repr(request))
                """
        },
    )

    async def scenario(it: Running) -> None:
        await it.load(date=OLD, variables={"NAME": "n"})
        assert await it.get() == b"GET n True"
        assert await it.get("/sdk") == b"Request(method='GET', url='http://localhost/sdk')"

    run(tmp_path, scenario)


@asynccontextmanager
async def slow_server(more: asyncio.Event) -> AsyncIterator[str]:
    """Answers with one piece, and with another once `more` is set."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await more.wait()
        writer.write(b"6\r\n, last\r\n0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def test_a_fetched_body_is_a_stream_that_can_be_passed_on(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/entry.py": """
                from workers import Response, WorkerEntrypoint, fetch

                class Default(WorkerEntrypoint):
                    async def fetch(self, request):
                        answer = await fetch(request.headers["x-from"])
                        return Response(answer.body, headers={"x-status": answer.status})
                """
        },
    )

    async def scenario(it: Running) -> None:
        await it.load()
        more = asyncio.Event()
        async with slow_server(more) as url:
            reply = await it.fetch(headers=[("x-from", url)])
            assert reply.body is not None
            pieces = aiter(reply.body)
            assert await anext(pieces) == b"first"
            more.set()
            assert b"".join([piece async for piece in pieces]) == b", last"

    run(tmp_path, scenario)
