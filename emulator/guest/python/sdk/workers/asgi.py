"""`workers.asgi`, also imported as `asgi`: ASGI applications such as FastAPI answer requests.

Source: https://github.com/cloudflare/workers-py/blob/main/packages/runtime-sdk/src/workers/asgi.py
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from asyncio import Future
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from ... import scope
from ...loop import asyncio_privates
from ...streams import Channel, ReadableStream
from ...web_sockets import WebSocketPair
from .body import header
from .entrypoints import WorkerEntrypoint
from .gateway import NULL_BODY_STATUSES, BaseOptions, respond
from .headers import joined
from .request import Request, wire_method
from .response import Response, raw_response

Message = MutableMapping[str, Any]
Application = Callable[..., Awaitable[None]]
ASGI = {"spec_version": "2.0", "version": "3.0"}
logger = logging.getLogger("asgi")
background_tasks: set[Future[Any]] = set()
_ABNORMAL, _NORMAL = 1011, 1000  # RFC 6455


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Options of `fetch` and `entrypoint`."""


DEFAULT_OPTIONS = Options()


def run_in_background(coro: Coroutine[Any, Any, Any]) -> Future[Any]:
    """Run a coroutine to its end; an error is logged."""
    return _kept(asyncio.ensure_future(coro))


def _kept(future: Future[Any]) -> Future[Any]:
    """Keep a task until it is over; its error is logged."""
    background_tasks.add(future)

    def done(finished: Future[Any]) -> None:
        background_tasks.discard(finished)
        error = None if finished.cancelled() else finished.exception()
        if error is not None:
            logger.error("Unhandled exception in background task", exc_info=error)

    future.add_done_callback(done)
    return future


def request_to_scope(
    req: Request, env: Any, ws: bool = False, state: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the connection scope of a request. `env` is in it."""
    url = urlsplit(req.url)
    found = {
        "asgi": ASGI,
        "headers": [(name.encode(), value.encode()) for name, value in joined(req._header_list())],
        "http_version": "1.1",
        "method": wire_method(req),
        "scheme": url.scheme,
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "type": "websocket" if ws else "http",
        "env": env,
    }
    if state is not None:
        found["state"] = dict(state)
    return found


class _Lifespan:
    """One startup and shutdown of an application, around one request. It need not have any."""

    def __init__(self, app: Application) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._started: Future[bool] = asyncio.get_running_loop().create_future()
        self._stopped: Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Wait for its startup. Raises RuntimeError if that failed."""
        self._messages.put_nowait({"type": "lifespan.startup"})
        _kept(asyncio_privates.begun(self._run()))
        await self._started

    async def stop(self) -> None:
        """Wait for its shutdown. Raises RuntimeError if that failed."""
        if self._started.done() and not self._started.result():
            return
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        await self._stopped

    async def _run(self) -> None:
        try:
            of = {"asgi": ASGI, "state": self.state, "type": "lifespan"}
            await self._app(of, self._messages.get, self._send)
            if not _settle(self._started, False):
                _settle(self._stopped, None)
        except Exception as error:
            if _settle(self._started, False):
                logger.debug("The application has no lifespan, or failed in it", exc_info=error)
                return
            logger.exception("Exception in ASGI lifespan application", exc_info=error)
            _settle(self._stopped, None)

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        failure = message.get("message") or f"ASGI lifespan {kind.split('.')[1]} failed"
        match kind:
            case "lifespan.startup.complete":
                _settle(self._started, True)
            case "lifespan.startup.failed":
                _settle(self._started, RuntimeError(failure))
            case "lifespan.shutdown.complete":
                _settle(self._stopped, None)
            case "lifespan.shutdown.failed":
                _settle(self._stopped, RuntimeError(failure))
            case _:
                raise RuntimeError(f"Unexpected lifespan event {kind}")


def _settle(future: Future[Any], outcome: Any) -> bool:
    if future.done():
        return False
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
    return True


async def start_application(app: Application) -> tuple[Callable[[], Awaitable[None]], Any]:
    """Start an application up; return what shuts it down, and its state."""
    lifespan = _Lifespan(app)
    await lifespan.start()
    return lifespan.stop, lifespan.state


class _Exchange:
    """One request that an application answers."""

    def __init__(self, options: Options) -> None:
        self.response: Future[Response] = asyncio.get_running_loop().create_future()
        self.stream: Channel | None = None  # once the body comes in several pieces
        self._options = options
        self._requests: list[Message] = []  # the pieces of the request's body, the last one first
        self._over = asyncio.Event()
        self._status = 0
        self._headers: list[tuple[str, str]] = []

    async def read(self, body: ReadableStream | None) -> None:
        """Read the whole body of the request."""
        pieces = [] if body is None else [bytes(chunk) async for chunk in body]
        messages = [{"type": "http.request", "body": data, "more_body": True} for data in pieces]
        end = {"type": "http.request", "body": b"", "more_body": False}
        self._requests = [end, *reversed(messages)]

    async def run(self, app: Application, scope: dict[str, Any]) -> None:
        """Run the application to its end, background tasks included."""
        try:
            await app(scope, self._receive, self._send)
            if not self.response.done():
                raise RuntimeError("The application did not generate a response")
        except Exception as error:
            if _settle(self.response, error):
                return
            if self.stream is None or not self.stream.is_cancelled:
                logger.exception("Exception in ASGI application after response started")
            if self.stream is not None:
                self.stream.close()
        finally:
            self._over.set()

    async def _receive(self) -> Message:
        if self._requests:
            return self._requests.pop()
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [(k.decode(), v.decode()) for k, v in message.get("headers", [])]
        elif message["type"] == "http.response.body":
            body, more = message.get("body", b""), message.get("more_body", False)
            if self.stream is None and not more:
                self._respond(bytes(body))
                self._over.set()
                return
            if self.stream is None:
                self.stream = Channel(cancelled=self._over.set)
                self._respond(ReadableStream(self.stream))
            if body:
                await self.stream.write(bytes(body))
            if not more:
                self.stream.close()
                self._over.set()

    def _respond(self, body: Any) -> None:
        if self._status in NULL_BODY_STATUSES:
            body = None
        _settle(self.response, respond(self._options, self._status, self._headers, body))


async def process_request(
    app: Application,
    req: Request,
    env: Any,
    ctx: Any,
    state: Mapping[str, Any] | None = None,
    options: Options = DEFAULT_OPTIONS,
) -> tuple[Any, Future[None]]:
    """Return the response of an application, and the task in which it ends."""
    exchange = _Exchange(options)
    await exchange.read(req.body)
    of = request_to_scope(req, env, state=state)
    running = asyncio_privates.begun(exchange.run(app, of))
    try:
        response = await exchange.response
    except Exception:
        await running
        raise
    if exchange.stream is None:
        await running
    return response.js_object, running


async def process_websocket(app: Application, req: Request, env: Any = None) -> Any:
    """Accept a WebSocket, and have an application converse over it."""
    client, server = WebSocketPair.new().object_values()
    server.accept()
    messages: asyncio.Queue[Message] = asyncio.Queue()
    messages.put_nowait({"type": "websocket.connect"})
    closed = False

    def heard(event: Any) -> None:
        key, data = ("text", event.data) if isinstance(event.data, str) else ("bytes", None)
        found = event.data.to_bytes() if data is None else data
        messages.put_nowait({"type": "websocket.receive", key: found})

    def left(event: Any) -> None:
        ended = {"type": "websocket.disconnect", "code": event.code, "reason": event.reason}
        messages.put_nowait(ended)

    server.onmessage, server.onclose = heard, left

    async def send(message: Message) -> None:
        nonlocal closed
        match message["type"]:
            case "websocket.accept":
                return  # it is accepted already
            case "websocket.send":
                for data in (message.get("bytes"), message.get("text")):
                    if data is not None:
                        server.send(data)
            case "websocket.close":
                closed = True
                server.close(message.get("code", _NORMAL), message.get("reason") or "")
            case kind:
                logger.warning(" == Not implemented %s", kind)

    of = request_to_scope(req, {} if env is None else env, ws=True)
    task = run_in_background(app(of, messages.get, send))  # type: ignore[arg-type]

    def ended(finished: Future[Any]) -> None:
        if not closed:
            failed = not finished.cancelled() and finished.exception() is not None
            server.close(_ABNORMAL if failed else _NORMAL, "")

    task.add_done_callback(ended)
    scope.current().wait_until(_quietly(task))
    return raw_response(101, [], None, web_socket=client).js_object


async def _quietly(task: Future[Any]) -> None:
    """Wait for a task whose error is logged elsewhere."""
    await asyncio.wait([task])


async def fetch(
    app: Application, req: Any, env: Any, ctx: Any = None, *, options: Options | None = None
) -> Any:
    """Return the response of an application to a request, a `js.Response`."""
    req = req if isinstance(req, Request) else Request(req)
    logger.debug("ASGI request: %s %s", wire_method(req), req.url)
    shutdown, state = await start_application(app)
    try:
        response, running = await process_request(
            app, req, env, ctx, state, options or DEFAULT_OPTIONS
        )
    except Exception:
        logger.exception("ASGI request failed")
        await shutdown()
        raise
    if running.done():
        await shutdown()
    else:
        scope.current().wait_until(run_in_background(_finish(running, shutdown)))
    return response


async def _finish(running: Future[None], shutdown: Callable[[], Awaitable[None]]) -> None:
    try:
        await running
    finally:
        await shutdown()


async def websocket(app: Application, req: Any, env: Any = None) -> Any:
    """Return the response that makes a request a WebSocket of an application."""
    return await process_websocket(app, req if isinstance(req, Request) else Request(req), env)


def entrypoint(app: Application, *, options: Options | None = None) -> type[WorkerEntrypoint]:
    """Return the class `Default` of a worker that is this application."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Request) -> Any:
            if (header(request._header_list(), "upgrade") or "").lower() == "websocket":
                return await websocket(app, request, self.env)
            return await fetch(app, request, self.env, self.ctx, options=options)

    return Default


def __getattr__(name: str) -> Any:
    if name != "env":
        raise AttributeError(f"module 'workers.asgi' has no attribute {name!r}")
    fastapi = importlib.import_module("fastapi")

    async def env(request: Any) -> Any:
        return request.scope["env"]

    env.__annotations__ = {"request": fastapi.Request}
    return fastapi.Depends(env)
