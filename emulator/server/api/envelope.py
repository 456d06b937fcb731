"""Cloudflare's v4 envelope around every answer of the API, and its errors.

`{"success", "errors", "messages", "result", "result_info"?}`.
Source: docs/platform/hosting.md, "The REST envelope".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from emulator.errors import StateError
from emulator.protocol import deep_json
from emulator.server.request_log import CLIENT_CLOSED_REQUEST

OWN_BASE = "/cdn-cgi/groundfog"  # of the routes that only Groundfog has
TOO_DEEP = "(body) is nested too deeply"
INTERNAL = 10001  # also the local explorer's answer to requests that it cannot read


class ApiError(Exception):
    """A request that is refused: HTTP status, Cloudflare's number, and the text."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Answer(Struct, frozen=True):
    """What a handler returns; `info` is `result_info`, `notes` go to `messages`."""

    result: object
    info: Mapping[str, object] | None = None
    notes: tuple[str, ...] = ()


Handler = Callable[[Request], Awaitable[Answer | Response]]


def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return `handler` as the endpoint of a route, with its answers and errors in the envelope.

    A handler whose answer is not JSON returns a Response.
    """

    async def answer(request: Request) -> Response:
        try:
            answered = await handler(request)
            return await success(answered) if isinstance(answered, Answer) else answered
        except ApiError as error:
            return failure(error.status, error.code, error.message)
        except StateError as error:
            return failure(500, INTERNAL, str(error))
        except RecursionError:
            return failure(400, INTERNAL, TOO_DEEP)
        except ClientDisconnect:  # before it had sent the whole body; nobody reads this
            return Response(status_code=CLIENT_CLOSED_REQUEST)

    return answer


async def success(answer: Answer) -> Response:
    """Return the envelope around a result."""
    body: dict[str, object] = {
        "success": True,
        "errors": [],
        "messages": [{"code": 0, "message": note} for note in answer.notes],
        "result": answer.result,
    }
    if answer.info is not None:
        body["result_info"] = answer.info
    return await json_response(body)


def failure(
    status: int, code: int, message: str, headers: dict[str, str] | None = None
) -> Response:
    """Return the envelope around one error."""
    body = {
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
        "result": None,
    }
    return _response(status, body, headers)


async def json_response(body: object) -> Response:
    """Return an answer of any size as JSON: a large one is encoded where it stops nobody."""
    if not deep_json.is_large(body):
        return _response(200, body)
    text = await asyncio.to_thread(deep_json.dumps, body, yielding=True)
    return Response(text, media_type="application/json")


def _response(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    # ASCII, as a string of user code may have half a surrogate pair, which UTF-8 cannot encode.
    text = deep_json.dumps(body)
    return Response(text, status, headers, media_type="application/json")
