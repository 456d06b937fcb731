"""Cron triggers over HTTP: calling `scheduled` by hand, at every path that wrangler has had.

Source: docs/platform/cron.md, "By hand".
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from emulator.cron import Cron
from emulator.engine.model.plain import iso
from emulator.errors import EmulatorError
from emulator.kinds.cron import KIND, CronTrigger, fires
from emulator.server.api import bases
from emulator.server.api.envelope import OWN_BASE, Answer, endpoint
from emulator.worker import Worker

if TYPE_CHECKING:
    from emulator.triggers.cron import CronTriggers

PATHS = (
    "/cdn-cgi/local/scheduled",
    "/cdn-cgi/handler/scheduled",
    "/cdn-cgi/mf/scheduled",
    f"{bases.EXPLORER}/local/scheduled",
)


def routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    run = partial(_run, worker)
    schedules = partial(_schedules, worker)
    return [
        *(Route(path, run, methods=["GET", "POST"]) for path in PATHS),
        Route(f"{OWN_BASE}/cron", endpoint(partial(_list, worker)), methods=["GET"]),
        Route(f"{bases.V4}/workers/scripts/{{script}}/schedules", endpoint(schedules)),
    ]


async def _run(worker: Worker, request: Request) -> Response:
    """GET …?cron=&time=&format=json: call the handler once; `time` is in milliseconds."""
    query = request.query_params
    time = query.get("time") or str(worker.triggers.now_ms())
    if not time.lstrip("-").isdecimal():
        text = f"'time' is '{time}'; expected milliseconds since 1970\n"
        return PlainTextResponse(text, 400)
    cron = cast("CronTriggers", worker.triggers.of(KIND))
    try:
        ended = await cron.run(query.get("cron", ""), int(time))
        outcome, no_retry = ended.outcome, ended.no_retry
    except (EmulatorError, TimeoutError):
        outcome, no_retry = "exception", False
    status = 200 if outcome == "ok" else 500
    if query.get("format") == "json":
        return JSONResponse({"outcome": outcome, "noRetry": no_retry}, status)
    return PlainTextResponse(outcome, status)


async def _list(worker: Worker, request: Request) -> Answer:
    """GET: `{"fires", "triggers": [{"cron", "next"}]}`."""
    now_ms = worker.triggers.now_ms()
    found = []
    for bound in worker.config.bound(CronTrigger):
        next_ms = Cron.parse(bound.record.cron).next_after_ms(now_ms)
        found.append({"cron": bound.record.cron, "next": next_ms and iso(next_ms)})
    return Answer({"fires": fires(worker.config), "triggers": found})


async def _schedules(worker: Worker, request: Request) -> Answer:
    """GET …/schedules, as Cloudflare's API."""
    when = iso(worker.started_ms)
    crons = [bound.record.cron for bound in worker.config.bound(CronTrigger)]
    shown = [{"cron": cron, "created_on": when, "modified_on": when} for cron in crons]
    return Answer({"schedules": shown})
