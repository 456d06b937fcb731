"""Emails over HTTP: handing one to the `email` handler, at every path that wrangler has had.

Source: docs/platform/email.md, "Receiving".
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from emulator.errors import EmulatorError, WorkerError
from emulator.kinds.email import KIND
from emulator.worker import Worker

if TYPE_CHECKING:
    from emulator.triggers.email import Emails, Handled

PATHS = ("/cdn-cgi/local/email", "/cdn-cgi/handler/email", "/cdn-cgi/mf/email")
_INVALID = (
    "Invalid email. Your request must include URL parameters specifying the `from` and `to` "
    "addresses, as well as an email in the body"
)


def routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    return [Route(path, partial(_deliver, worker), methods=["POST"]) for path in PATHS]


async def _deliver(worker: Worker, request: Request) -> Response:
    """POST …?from=&to=&format=json, with a raw message as the body: call the handler with it."""
    query = request.query_params
    sender, recipient, raw = query.get("from"), query.get("to"), await request.body()
    if not sender or not recipient or not raw:
        return PlainTextResponse(_INVALID, 400)
    emails = cast("Emails", worker.triggers.of(KIND))
    try:
        handled = await emails.deliver(sender, recipient, raw)
    except WorkerError as error:
        return PlainTextResponse(error.message, 400)
    except (EmulatorError, TimeoutError) as error:
        return PlainTextResponse(str(error) or "The email handler took too long.", 500)
    return _as_json(handled) if query.get("format") == "json" else _as_text(handled)


def _as_json(handled: Handled) -> Response:
    shown: dict[str, Any] = {"outcome": handled.outcome, "forwards": handled.forwards}
    shown |= {"replies": handled.replies, "events": handled.events}
    if handled.reject_reason is not None:
        shown["rejectReason"] = handled.reject_reason
    return JSONResponse(shown, 200 if handled.outcome == "ok" else 500)


def _as_text(handled: Handled) -> Response:
    if handled.unhandled:
        text = "Worker does not export an email() handler; message stored without delivery."
        return PlainTextResponse(text, 500)
    if handled.outcome != "ok":
        return PlainTextResponse(handled.error, 500)
    if handled.reject_reason is not None:
        text = f"Worker rejected email with the following reason: {handled.reject_reason}"
        return PlainTextResponse(text, 400)
    return PlainTextResponse("Worker successfully processed email")
