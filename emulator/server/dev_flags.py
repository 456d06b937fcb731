"""What some options of wrangler's `dev` change of requests and answers; nothing without them.

`--host` is what the worker sees as the host, `--test-scheduled` gives `/__scheduled` to the
handler of cron triggers, `--live-reload` lets pages load themselves again after a save.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.server.ingress import Worker

RELOAD_SCRIPT = "/cdn-cgi/groundfog/reload.js"
SCHEDULED, HANDLER = "/__scheduled", "/cdn-cgi/handler/scheduled"


class DevFlags(NamedTuple):
    """Which of them are on."""

    host: str = ""
    test_scheduled: bool = False
    live_reload: bool = False

    def around_worker(self, app: ASGIApp, worker: Worker) -> ASGIApp:
        """Return the app for requests of the worker."""
        if self.host:
            app = _SeenHost(app, self.host)
        return _LiveReload(app, worker) if self.live_reload else app

    def around_all(self, app: ASGIApp) -> ASGIApp:
        """Return the app for all requests."""
        return _TestScheduled(app) if self.test_scheduled else app

    def front_rules(self, rules: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `security.front_rules` says, and what `front.js` does for these flags."""
        changed = dict(rules)
        if self.host:
            changed["seen_host"] = self.host
        if self.test_scheduled:
            changed["control_roots"] = [*rules["control_roots"], SCHEDULED]
        if self.live_reload:
            changed["reload_script"] = RELOAD_SCRIPT
        return changed


class _SeenHost:
    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app, self._host = app, host.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (name, self._host if name == b"host" else value) for name, value in scope["headers"]
        ]
        await self._app({**scope, "headers": headers}, receive, send)


class _TestScheduled:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == SCHEDULED:
            scope = {**scope, "path": HANDLER, "raw_path": HANDLER.encode()}
        await self._app(scope, receive, send)


class _LiveReload:
    """Puts a script below each page of HTML; it waits for the next load of code."""

    def __init__(self, app: ASGIApp, worker: Worker) -> None:
        self._app, self._worker = app, worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loads = self._worker.loads.count  # before the code runs: a later load is news
        tag = f'<script src="{RELOAD_SCRIPT}" data-loads="{loads}"></script>'.encode()
        is_page = False

        async def send_with_script(message: Message) -> None:
            nonlocal is_page
            if message["type"] == "http.response.start":
                is_page = _is_page(scope["method"], message)
                if is_page:
                    kept = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                    message = {**message, "headers": kept}
            elif is_page and not message.get("more_body", False):
                message = {**message, "body": message.get("body", b"") + tag}
            await send(message)

        await self._app(scope, receive, send_with_script)


def _is_page(method: str, start: Message) -> bool:
    headers = dict(start["headers"])
    return (
        method != "HEAD"
        and start["status"] not in (204, 205, 304)
        and headers.get(b"content-type", b"").lower().startswith(b"text/html")
        and b"content-encoding" not in headers
    )
