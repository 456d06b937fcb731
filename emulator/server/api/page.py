"""The local page, `/cdn-cgi/groundfog/`, and what only it asks: the worker and its bindings.

The page is a client of the API like any other. It is read from the package at each request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from emulator.kinds.shown import shown_bindings
from emulator.server.api.envelope import OWN_BASE, Answer, endpoint
from emulator.worker import Worker

_FOLDER = Path(__file__).parents[1] / "page"
_TYPES = {
    "page.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "reload.js": "text/javascript",  # below pages of the worker, with --live-reload
}
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def page_routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""

    async def show_worker(request: Request) -> Answer:
        """GET: `{"name", "environment", "bindings": [[name, kind, detail], …]}`."""
        config = worker.config
        bindings = shown_bindings(config)
        return Answer(
            {"name": config.name, "environment": config.environment, "bindings": bindings}
        )

    return [
        Route(OWN_BASE, _to_page, methods=["GET"]),
        Route(f"{OWN_BASE}/", _file("page.html"), methods=["GET"]),
        *(Route(f"{OWN_BASE}/{name}", _file(name), methods=["GET"]) for name in _TYPES),
        Route(f"{OWN_BASE}/worker", endpoint(show_worker), methods=["GET"]),
    ]


async def _to_page(request: Request) -> Response:
    return RedirectResponse(f"{OWN_BASE}/")


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        text = (_FOLDER / name).read_text(encoding="utf-8")
        return Response(text, media_type=_TYPES[name], headers=_HEADERS)

    return answer
