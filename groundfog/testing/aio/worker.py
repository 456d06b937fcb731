"""A worker under test."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any

from groundfog.testing.aio.ai import AsyncAi
from groundfog.testing.aio.clock import AsyncClock
from groundfog.testing.aio.d1 import AsyncD1
from groundfog.testing.aio.faults import AsyncFaults
from groundfog.testing.aio.outbound import AsyncOutbound
from groundfog.testing.aio.rpc import AsyncRpc
from groundfog.testing.aio.streaming import AsyncStream, AsyncWebSocket
from groundfog.testing.aio.workflow import AsyncInstance, AsyncWorkflow
from groundfog.testing.env import members
from groundfog.testing.errors import RefusedError, WorkerError
from groundfog.testing.opened import Opened
from groundfog.testing.options import instant_ms
from groundfog.testing.queues import QueueResult, queue_message
from groundfog.testing.response import Response, ScheduledResult
from groundfog.testing.sending import _UNSET, Sending, sending

_MAX_REDIRECTS = 20


class AsyncWorker:
    """A real worker with real bindings, with state and a clock of its own.

    The fixture `async_worker` gives one to each test; `groundfog.worker()` makes others. All
    methods work on asyncio and on trio.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._link = opened.link
        self._env: Any = None

    # --- requests

    async def fetch(
        self,
        path: str,
        *,
        method: str = "GET",
        json: Any = _UNSET,
        data: Mapping[str, Any] | str | bytes | None = None,
        content: str | bytes | None = None,
        files: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        cookies: Mapping[str, str] | None = None,
        follow_redirects: bool = False,
        raise_worker_errors: bool = True,
        timeout: float | None = None,
    ) -> Response:
        """Send a request to the worker and return its response, read to its end.

        path: `"/orders"`, or a whole address. json, data, content, files, params, headers, cookies:
        as httpx takes them. timeout: seconds of real time.

        Raises WorkerError with the user's traceback when the worker raises; without
        `raise_worker_errors`, the response then has the status 500. Raises WaitTimeout.
        """
        request = sending(
            path,
            method,
            json=json,
            data=data,
            content=content,
            files=files,
            params=params,
            headers=headers,
            cookies=cookies,
        )
        history: list[Response] = []
        while True:
            response = await self._fetch_once(request, history, raise_worker_errors, timeout)
            if not (follow_redirects and response.is_redirect) or len(history) >= _MAX_REDIRECTS:
                return response
            history.append(response)
            request = request.redirected(response.status_code, response.headers["location"])

    async def get(self, path: str, **options: Any) -> Response:
        """Send a GET request; see `fetch`."""
        return await self.fetch(path, method="GET", **options)

    async def post(self, path: str, **options: Any) -> Response:
        """Send a POST request; see `fetch`."""
        return await self.fetch(path, method="POST", **options)

    async def put(self, path: str, **options: Any) -> Response:
        """Send a PUT request; see `fetch`."""
        return await self.fetch(path, method="PUT", **options)

    async def patch(self, path: str, **options: Any) -> Response:
        """Send a PATCH request; see `fetch`."""
        return await self.fetch(path, method="PATCH", **options)

    async def delete(self, path: str, **options: Any) -> Response:
        """Send a DELETE request; see `fetch`."""
        return await self.fetch(path, method="DELETE", **options)

    async def _fetch_once(
        self,
        request: Sending,
        history: list[Response],
        raises: bool,
        timeout: float | None,
    ) -> Response:
        args = request.args(self._opened.timeout_ms(timeout))
        try:
            found = await self._link.asking(self._opened.number, "fetch", **args)
        except WorkerError as error:
            if raises:
                raise
            found = {
                "status": 500,
                "status_text": "Internal Server Error",
                "headers": [("content-type", "text/plain;charset=UTF-8")],
                "body": str(error).encode(),
            }
        return Response(
            found["status"],
            found["status_text"],
            [(name, value) for name, value in found["headers"]],
            found["body"],
            request.method,
            request.url,
            list(history),
        )

    def stream(
        self, path: str, *, method: str = "GET", timeout: float | None = None, **options: Any
    ) -> AsyncStream:
        """Return a request whose answer is read piece by piece, as a context manager.

        options: the body and headers, as of `fetch`. timeout: for each piece.
        """
        return AsyncStream(
            self._opened, sending(path, method, **options), self._opened.timeout_ms(timeout)
        )

    def websocket(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> AsyncWebSocket:
        """Return a WebSocket, as a context manager. Python workers only."""
        self._opened.need_python("worker.websocket")
        wanted = {"upgrade": "websocket", "connection": "Upgrade", **(headers or {})}
        request = sending(path, "GET", headers=wanted)
        return AsyncWebSocket(self._opened, request, self._opened.timeout_ms(timeout))

    @property
    async def url(self) -> str:
        """An address on this machine, for browsers and other programs; without it, nothing listens.

        Python workers only.
        """
        return str((await self._listening())["url"])

    @property
    async def token(self) -> str:
        """The token that opens the control routes of `url`."""
        return str((await self._listening())["token"])

    async def _listening(self) -> dict[str, str]:
        self._opened.need_python("worker.url")
        found: dict[str, str] = await self._link.asking(self._opened.number, "url")
        return found

    async def wait_until_done(self, *, timeout: float | None = None) -> None:
        """Return when no request is under way, work given to `ctx.waitUntil` included.

        Raises WaitTimeout, which names what is.
        """
        timeout_ms = self._opened.timeout_ms(timeout)
        await self._link.asking(self._opened.number, "wait_until_done", timeout_ms=timeout_ms)

    # --- bindings, workflows, time

    @property
    def env(self) -> Any:
        """The bindings and variables of the worker, as its own code has them.

        `await worker.env.DB.prepare("SELECT …").bind(1).all()`
        """
        if self._env is None:
            self._env = members(
                self._link, self._opened.number, self._opened.about, blocking=self._opened.blocking
            )
        return self._env

    def introspect_workflow(self, binding: str) -> AsyncWorkflow:
        """Return what looks into the instances of a workflow and mocks their steps.

        binding: its name on `env`, or the workflow's name. As a context manager, it sees the
        instances that are created from then on, and its mocks end with it.
        """
        return AsyncWorkflow(self._opened, binding)

    def introspect_workflow_instance(self, binding: str, id: str) -> AsyncInstance:
        """Return what looks into one instance, which need not exist yet, and mocks its steps."""
        return AsyncInstance(self._opened, binding, id)

    @property
    def clock(self) -> AsyncClock:
        """The worker's own clock, by which its workflows live."""
        return AsyncClock(self._opened)

    @property
    def outbound(self) -> AsyncOutbound:
        """The network, which is refused: rules that answer, and hosts that are let through."""
        self._opened.need_python("worker.outbound")
        return AsyncOutbound(self._opened)

    @property
    def ai(self) -> AsyncAi:
        """The calls of `env.AI`, and rules that answer them."""
        self._opened.need_python("worker.ai")
        return AsyncAi(self._opened)

    @property
    def faults(self) -> AsyncFaults:
        """Faults of the bindings: calls that fail, are slow, or lose their answers."""
        self._opened.need_python("worker.faults")
        return AsyncFaults(self._opened)

    def d1(self, binding: str) -> AsyncD1:
        """Return assertions about a D1 database."""
        return AsyncD1(self._opened, binding, self.env)

    async def scheduled(
        self, cron: str = "* * * * *", scheduled_time: datetime | str | None = None
    ) -> ScheduledResult:
        """Call the worker's `scheduled` handler; return its `outcome` and `no_retry`.

        scheduled_time: the time of the tick; the worker's own clock without it.
        """
        at_ms = None if scheduled_time is None else instant_ms(scheduled_time)
        found = await self._link.asking(self._opened.number, "scheduled", cron=cron, at_ms=at_ms)
        return ScheduledResult(found["outcome"], found["no_retry"])

    async def queue(self, name: str, messages: Sequence[Any]) -> QueueResult:
        """Call the worker's `queue` handler with a batch, and return what it said of it.

        messages: bodies, which are sent as JSON (bytes as they are), or dicts with `body`, and `id`
        and `attempts` if they matter. The queue itself is not used.
        """
        batch = [queue_message(number, given) for number, given in enumerate(messages, 1)]
        found = await self._link.asking(self._opened.number, "queue", queue=name, messages=batch)
        return QueueResult.of(found)

    @property
    def rpc(self) -> AsyncRpc:
        """The methods of the worker's default entrypoint; `rpc.of("Name")` of another class."""
        return AsyncRpc(self._opened)

    async def apply_migrations(self, binding: str | None = None) -> list[str]:
        """Apply the D1 migrations that are not applied yet, of one database or of all.

        They are applied before each test, but with the option `migrate=False`. Returns what was
        told of each.
        """
        found: list[str] = await self._link.asking(
            self._opened.number, "apply_migrations", binding=binding
        )
        return found

    async def seed(self, sql: str | os.PathLike[str], binding: str | None = None) -> None:
        """Execute SQL, or what is in a file, in the D1 database; with several, `binding` names it.

        The path of a file is relative to the folder of the tests, where pytest runs.
        """
        if isinstance(sql, os.PathLike):
            with open(sql, encoding="utf-8") as file:
                sql = file.read()
        databases = [
            name for name, about in self._opened.about["bindings"].items() if about["kind"] == "d1"
        ]
        name = binding or (databases[0] if len(databases) == 1 else "")
        if name not in databases:
            there = ", ".join(databases) or "none"
            raise RefusedError(f"seed() needs the name of one D1 database; there are: {there}.")
        await self._link.asking(self._opened.number, "seed", binding=name, sql=sql)

    # --- life

    async def reset(self) -> None:
        """Begin again: fresh state, no instances, no mocks, no logs, the same code."""
        await self._link.asking(self._opened.number, "reset")

    async def kill(self) -> None:
        """Kill the process that runs the worker's code, with SIGKILL; another takes its place.

        Workflows go on where they were recorded; variables of the code are lost.
        """
        await self._link.asking(self._opened.number, "kill")

    async def close(self) -> None:
        """End the worker. The fixtures do this themselves."""
        if not self._opened.closed:
            self._opened.closed = True
            await self._link.asking(self._opened.number, "close", keep=False)

    async def __aenter__(self) -> AsyncWorker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # --- what happened

    @property
    async def logs(self) -> list[dict[str, Any]]:
        """What was printed and told: `{"level", "message", "at_ms"}` of each line.

        level: "log" and "error" are lines of the worker's stdout and stderr; "notice", "warning"
        and "problem" are Groundfog's.
        """
        found: list[dict[str, Any]] = await self._link.asking(self._opened.number, "logs")
        return found

    def clear_logs(self) -> None:
        """Forget what was printed and told up to now."""
        self._link.tell(self._opened.number, "clear_logs")

    async def debug(self) -> None:
        """Print everything that is known: logs, and the timeline of each instance."""
        text = await self._link.asking(self._opened.number, "debug")
        sys.stdout.write(text + os.linesep)

    @property
    def name(self) -> str:
        """The worker's name in its configuration."""
        return str(self._opened.about["name"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
