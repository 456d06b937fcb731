"""The REST API without a server: the server's own routes, called in this process on the journal.

No guest runs and no time passes here. The changes of a command are durable when it returns, and
take effect at the next start of `groundfog dev`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from http import HTTPStatus
from urllib.parse import unquote, urlencode

from starlette.routing import Router
from starlette.types import ASGIApp, Message

from emulator.answers.workflows import LogEventDetail
from emulator.cli.workflows.api import BASE, Answer, Refused, read_answer, route
from emulator.clock import Alarm, SystemClock
from emulator.config.model import Config
from emulator.engine.journal.journal import Journal
from emulator.engine.views.subscription import Subscription, Wanted
from emulator.protocol import deep_json
from emulator.server.api.workflows.routes import workflow_routes
from emulator.state import State
from emulator.worker import Worker, open_clock


@contextmanager
def open_local(config: Config, state: State, changes: bool) -> Iterator[LocalApi]:
    """Answer from the project's journal. Raises StateError.

    changes: hold the state's lock, as a server does; without it the journal is only read.
    """
    with state.locked() if changes else nullcontext(), asyncio.Runner() as runner:
        clock = _StoppedClock(open_clock(config, state, SystemClock()).now_ms())
        worker = Worker(config, state, clock, to_read=not changes)
        clock.at_least(worker.engine.journal.last_ms())
        worker.define()
        try:
            yield LocalApi(Router(workflow_routes(worker)), runner, worker.engine.journal)
        finally:
            worker.stop()
            worker.engine.journal.close()


class _NeverAlarm:
    def cancel(self) -> None:
        """Nothing to cancel."""


class _StoppedClock:
    """Always shows the same time, and no alarm rings: that is for the next server."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def at_least(self, now_ms: int) -> None:
        """Show no time before `now_ms`: a virtual clock may have been ahead."""
        self._now_ms = max(self._now_ms, now_ms)

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Alarm:
        return _NeverAlarm()


class LocalApi:
    """The routes as an `Api`."""

    live = False

    def __init__(self, app: ASGIApp, runner: asyncio.Runner, journal: Journal) -> None:
        self._app = app
        self._runner = runner
        self._journal = journal

    def find_again(self) -> None:
        """Nothing to look for: there is no server."""

    def ask(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        base: str = BASE,
    ) -> Answer:
        """See `Api`."""
        content = b"" if body is None else deep_json.dumps(body).encode("ascii")
        status, text = self._runner.run(
            _request(self._app, method, route(base, path), urlencode(query or {}), content)
        )
        return read_answer(status, text, "the journal")

    def events(self, workflow: str, instance: str, after: int) -> Iterator[LogEventDetail]:
        """See `Api`. Nothing happens here, so it ends after the recorded events."""
        key = self._journal.find(workflow, instance)
        if key is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no such instance")
        subscription = Subscription(self._journal, key, Wanted(after, local=True))
        while (event := subscription.take()) is not None:
            yield event.as_json(instance, local=True)


async def _request(
    app: ASGIApp, method: str, target: str, query: str, content: bytes
) -> tuple[int, bytes]:
    """Call an ASGI app once; return status and body."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(target),
        "raw_path": target.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(b"host", b"localhost")],
    }
    status = 0
    answered = bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            answered.extend(message.get("body", b""))

    await app(scope, receive, send)
    return status, bytes(answered)
