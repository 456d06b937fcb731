"""Workers AI over REST: running models, the catalogue, and OpenAI's endpoints.

JSON answers of `run` are in the envelope; streams and files are sent as they are. `/v1/…` answers
as OpenAI does, without an envelope.
Source: docs/platform/workers-ai.md, "REST".
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from emulator.errors import WorkerError
from emulator.kinds.ai import KIND, ledger_path, settings_of
from emulator.server.api.bodies import (
    BATCH_MAX_BYTES,
    MODEL,
    MODEL_MAX_BYTES,
    as_object,
    body_bytes,
    read_apart,
    read_json,
)
from emulator.server.api.envelope import (
    INTERNAL,
    OWN_BASE,
    TOO_DEEP,
    Answer,
    ApiError,
    Handler,
    endpoint,
    failure,
    json_response,
    success,
)
from emulator.server.api.parameters import bad, whole_number
from emulator.worker import Worker

if TYPE_CHECKING:
    from bindings.ai.ai import Ai

BASE = "/client/v4/accounts/{account}/ai"
PER_PAGE, PER_PAGE_MAX = 50, 1_000
# How a model takes a body that is not JSON: as the whole input, or as an upload with this name.
_UPLOADS = {"audio": ("audio/", "application/octet-stream"), "multipart": ("multipart/",)}

Run = Callable[[Request], Awaitable[Response]]


class AiApi:
    """Handlers of these routes. `ai` is called for each request, as a save may change it."""

    def __init__(self, ai: Callable[[], Ai]) -> None:
        self._ai = ai

    async def run(self, request: Request) -> Response:
        """POST …/run/{model}: the inputs, as JSON or as a file."""
        model = request.path_params["model"]
        inputs = await _inputs(self._ai(), model, request)
        return await _response(await self._ai().run(model, inputs))

    async def list_models(self, request: Request) -> Answer:
        """GET …/models/search: `search`, `author`, `task`, `page`, `per_page`."""
        names = ("search", "author", "task")
        found = self._ai().models({name: request.query_params.get(name) for name in names})
        page = whole_number(request, "page", 1)
        per_page = whole_number(request, "per_page", PER_PAGE, PER_PAGE_MAX)
        shown = found[(page - 1) * per_page : page * per_page]
        info = {"page": page, "per_page": per_page, "count": len(shown), "total_count": len(found)}
        return Answer(shown, info)

    async def show_schema(self, request: Request) -> Answer:
        """GET …/models/schema?model=: the schema of the model's inputs."""
        try:
            return Answer(self._ai().schema(request.query_params.get("model")))
        except WorkerError as error:
            raise _refused(error) from None

    async def list_tasks(self, request: Request) -> Answer:
        """GET …/tasks/search."""
        models = self._ai().models({})
        return Answer(list({model["task"]["id"]: model["task"] for model in models}.values()))

    async def list_authors(self, request: Request) -> Answer:
        """GET …/authors/search."""
        return Answer(sorted({model["name"].split("/")[1] for model in self._ai().models({})}))

    async def list_nothing(self, request: Request) -> Answer:
        """GET …/finetunes: there are none."""
        return Answer([])

    async def chat(self, request: Request) -> Response:
        """POST …/v1/chat/completions."""
        body = await _object(request)
        model = body.pop("model", None)
        return await _response(await self._ai().chat(model, body), in_envelope=False)

    async def respond(self, request: Request) -> Response:
        """POST …/v1/responses."""
        body = await _object(request)
        model = body.pop("model", None)
        return await _response(await self._ai().run(model, body), in_envelope=False)

    async def embed(self, request: Request) -> Response:
        """POST …/v1/embeddings: `{model, input: string | string[]}`."""
        body = await _object(request)
        answer = await self._ai().run(body.get("model"), {"text": body.get("input")})
        if not isinstance(answer, dict) or "data" not in answer:
            raise bad(f"{body.get('model')} is not a text embedding model")
        data = [
            {"object": "embedding", "index": place, "embedding": vector}
            for place, vector in enumerate(answer["data"])
        ]
        usage = {"prompt_tokens": 0, "total_tokens": 0}
        listed = {"object": "list", "data": data, "model": body.get("model"), "usage": usage}
        return await _response(listed, in_envelope=False)

    async def convert(self, request: Request) -> Answer:
        """POST …/tomarkdown: a form with `files`, and `conversionOptions` as JSON."""
        content = await body_bytes(request, BATCH_MAX_BYTES)
        kind = request.headers.get("content-type", "")
        files, options = await asyncio.to_thread(_form, content, kind)
        try:
            return Answer(await self._ai().call("toMarkdown", [files, options]))
        except WorkerError as error:
            raise _refused(error) from None

    async def list_formats(self, request: Request) -> Answer:
        """GET …/tomarkdown/supported."""
        return Answer(await self._ai().call("toMarkdownSupported", []))


def routes(worker: Worker) -> list[Route]:
    """Return these routes for what the worker's configuration says of models at each request."""

    async def list_calls(request: Request) -> Answer:
        """GET …/ai/calls: the last `limit` lines of the ledger, in the order of the calls."""
        from bindings.ai.ledger import read

        limit = whole_number(request, "limit", PER_PAGE, PER_PAGE_MAX)
        return Answer(list(deque(read(ledger_path(worker.state)), limit)))

    return [
        *ai_routes(lambda: cast("Ai", worker.opened(KIND, settings_of(worker.config)))),
        Route(f"{OWN_BASE}/ai/calls", endpoint(list_calls), methods=["GET"]),
    ]


def ai_routes(ai: Callable[[], Ai]) -> list[Route]:
    """Return these routes, for `create_app`."""
    api = AiApi(ai)
    runs: list[tuple[str, Run]] = [
        ("/v1/chat/completions", api.chat),
        ("/v1/responses", api.respond),
        ("/v1/embeddings", api.embed),
        ("/run/{model:path}", api.run),
    ]
    answers: list[tuple[str, str, Handler]] = [
        ("GET", "/models/search", api.list_models),
        ("GET", "/models/schema", api.show_schema),
        ("GET", "/tasks/search", api.list_tasks),
        ("GET", "/authors/search", api.list_authors),
        ("GET", "/finetunes", api.list_nothing),
        ("GET", "/finetunes/public", api.list_nothing),
        ("POST", "/tomarkdown", api.convert),
        ("GET", "/tomarkdown/supported", api.list_formats),
    ]
    return [
        *(Route(BASE + path, _running(handler), methods=["POST"]) for path, handler in runs),
        *(Route(BASE + path, endpoint(handler), methods=[m]) for m, path, handler in answers),
    ]


def _running(handler: Run) -> Run:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            return failure(error.status, error.code, error.message)
        except WorkerError as error:
            refused = _refused(error)
            return failure(refused.status, refused.code, refused.message)
        except RecursionError:
            return failure(400, INTERNAL, TOO_DEEP)

    return answer


def _refused(error: WorkerError) -> ApiError:
    """Return a model's error as REST words it: `AiError: No such model …`, code 5007."""
    from bindings.ai.errors import http_status

    code = error.code or 0
    text = error.message.removeprefix(f"{code}: ")
    return ApiError(http_status(error.code), code, f"{error.name}: {text}")


async def _response(answer: Any, *, in_envelope: bool = True) -> Response:
    from bindings.ai.replies import Media
    from bindings.binding import ByteStream

    if isinstance(answer, ByteStream):
        return StreamingResponse(answer.chunks, media_type=answer.content_type)
    if isinstance(answer, Media):
        return Response(answer.content, media_type=answer.content_type)
    if in_envelope:
        return await success(Answer(answer))
    return await json_response(answer)


async def _inputs(ai: Ai, model: str, request: Request) -> Any:
    content = await body_bytes(request, BATCH_MAX_BYTES)
    kind = request.headers.get("content-type", "")
    needed = ai.upload_name(model)
    starts = _UPLOADS.get(needed or "", ())
    if needed is not None and kind.lower().startswith(starts):
        return {**dict(request.query_params), needed: {"body": content, "contentType": kind}}
    looks_like_json = content.lstrip()[:1] in (b"", b"{", b"[")
    if looks_like_json or kind.partition(";")[0].strip().lower() == "application/json":
        return await _read(content) if content else {}
    return content


async def _object(request: Request) -> dict[str, Any]:
    return as_object(await _read(await body_bytes(request, MODEL_MAX_BYTES)))


async def _read(content: bytes) -> Any:
    if len(content) > MODEL_MAX_BYTES:
        raise bad(f"(body) is {len(content):,} bytes of JSON; expected {MODEL_MAX_BYTES:,} at most")
    read = await read_apart(content, lambda body: read_json(body, MODEL))
    return {} if read is None else read


def _form(content: bytes, kind: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the files of a form, and its options. Raises ApiError when it is not a form."""
    from bindings.multipart import NotAForm, read_form

    expected = "tomarkdown expects multipart/form-data with a field files"
    try:
        parts = read_form(content, kind)
    except NotAForm as error:
        raise bad(f"{expected}: {error}") from None
    options: dict[str, Any] = {}
    for part in parts:
        if part.name == "conversionOptions":
            try:
                options = {"conversionOptions": json.loads(part.text)}
            except (ValueError, RecursionError) as error:
                raise bad(f"conversionOptions is not JSON: {error}") from None
    files = [
        {"name": part.filename or "", "mimeType": part.content_type, "data": bytes(part.content)}
        for part in parts
        if part.name == "files"
    ]
    if not files:
        raise bad(expected)
    return files, options
