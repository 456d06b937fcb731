"""The HTTP protocol of workerd's AI client modules: a request's parts in, a response out.

Owns paths, headers and the JSON of both directions. It opens no socket: its caller serves it. For
the client, only exactly `application/json` is JSON; everything else is a stream.
Source: docs/platform/workers-ai.md, "The protocol of workerd's client".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from bindings.ai.ai import Ai
from bindings.ai.delivery import raw_error
from bindings.ai.replies import Media
from bindings.binding import ByteStream
from bindings.http import HttpAnswer, json_answer
from emulator.errors import WorkerError

MODEL_HEADER = "cf-consn-model-id"
REQUEST_ID, LOG_ID = "cf-ai-req-id", "cf-aig-log-id"
RUN_PATHS = ("/run", "/ai-gateway/run")
JSON_TYPES = ("", "application/json")

Answer = HttpAnswer | ByteStream


async def answer(
    ai: Ai, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """Answer one request of the client modules; a ByteStream is a response of status 200.

    `target` is the path with its query, or a whole URL; the names in `headers` are lower case.
    `POST /run?version=3` with the model in `cf-consn-model-id` and `{"inputs", "options"}`.
    """
    url = urlsplit(target)
    try:
        if url.path in RUN_PATHS and method == "POST":
            return await _run(ai, url, headers, body)
        return await _route(ai, method, url, body)
    except WorkerError as error:
        return _failure(error)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        text = f"Request is missing headers or body: {error}"
        return _failure(WorkerError(f"3003: {text}", name="AiError", code=3003))


async def _run(ai: Ai, url: SplitResult, headers: Mapping[str, str], body: bytes) -> Answer:
    model = headers[MODEL_HEADER]
    if not model.startswith("@"):
        model = model.partition(":")[2] or model  # "prefix:@cf/…"
    inputs, options = _inputs(ai, model, url, headers.get("content-type", ""), body)
    gateway = options.get("gateway") if isinstance(options, Mapping) else None
    ids = {REQUEST_ID: str(uuid.uuid4())}
    if isinstance(gateway, Mapping) and gateway.get("id"):
        ids[LOG_ID] = uuid.uuid4().hex
    try:
        found = await ai.run(model, inputs, options, ids.get(LOG_ID, ""))
    except WorkerError as error:
        failed = _failure(error)
        return HttpAnswer(failed.status, {**failed.headers, **ids}, failed.body)
    if isinstance(found, ByteStream):
        return found
    if isinstance(found, Media):
        return HttpAnswer(200, {"content-type": found.content_type, **ids}, found.content)
    return json_answer(200, found, ids)


def _inputs(ai: Ai, model: str, url: SplitResult, kind: str, body: bytes) -> tuple[Any, Any]:
    """Return inputs and options: from a JSON body, or from the query if the body is a file."""
    query = parse_qs(url.query)
    if "userInputs" not in query and kind.partition(";")[0].strip().lower() in JSON_TYPES:
        whole = json.loads(body)
        return whole["inputs"], whole.get("options") or {}
    inputs = json.loads(query.get("userInputs", ["{}"])[-1])
    upload = {"body": body, "contentType": kind}
    name = ai.upload_name(model)
    inputs["image" if name is None else name] = body if name is None else upload
    return inputs, {}


async def _route(ai: Ai, method: str, url: SplitResult, body: bytes) -> HttpAnswer:
    parts = [unquote(part) for part in url.path.split("/") if part]
    match method, parts:
        case "GET", ["ai-api", "models", "search"]:
            params = {name: values[-1] for name, values in parse_qs(url.query).items()}
            return json_answer(200, {"result": ai.models(params)})
        case "GET", ["to-everything", "markdown", "supported"]:
            return json_answer(200, {"result": await ai.call("toMarkdownSupported", [])})
        case "POST", ["to-everything", "markdown", "transformer"]:
            whole = json.loads(body)
            args = [list(whole["files"]), whole.get("options")]
            return json_answer(200, {"result": await ai.call("toMarkdown", args)})
        case "GET", ["autorag", "rags"]:
            return json_answer(200, {"result": []})
        case _, ["autorag", *_]:
            return json_answer(404, {"errors": [{"message": "AutoRAG does not exist locally"}]})
        case _, ["ai-gateway", *rest]:
            return await _gateway(ai, method, rest, body)
        case _:
            told = f"Workers AI has no {method} {url.path}"
            return json_answer(404, {"errors": [{"code": 7000, "message": told}]})


async def _gateway(ai: Ai, method: str, parts: list[str], body: bytes) -> HttpAnswer:
    match method, parts:
        case "GET", ["gateways", gateway, "url", provider]:
            chosen = "" if provider == "universal" else provider
            address = await ai.call("gateway", [gateway, "getUrl", [chosen]])
            return json_answer(200, {"result": {"url": address}})
        case (("GET" | "PATCH"), ["gateways", gateway, "logs", log_id]):
            name = "getLog" if method == "GET" else "patchLog"
            more = [json.loads(body)] if method == "PATCH" else []
            try:
                found = await ai.call("gateway", [gateway, name, [log_id, *more]])
            except WorkerError as error:
                return json_answer(404, {"errors": [{"message": error.message}]})
            return json_answer(200, {"result": found})
        case "POST", ["universal", "run", gateway]:
            found = await ai.call("gateway", [gateway, "run", [json.loads(body)]])
            if isinstance(found, ByteStream):
                content = b"".join([chunk async for chunk in found.chunks])
                return HttpAnswer(200, {"content-type": found.content_type}, content)
            return HttpAnswer(found["status"], found["headers"], found["body"])
        case _:
            told = f"AI Gateway has no {method} /{'/'.join(parts)}"
            return json_answer(404, {"errors": [{"code": 7000, "message": told}]})


def _failure(error: WorkerError) -> HttpAnswer:
    """Return an error as the client reads it: `{internalCode, name, message, description}`.

    An error of ours has no code; then its whole text is the description.
    """
    raw = raw_error(error)
    if error.code is None:
        told = {"internalCode": 0, "name": error.name, "description": error.message}
        return json_answer(500, {**told, "message": error.message})
    return HttpAnswer(raw["status"], raw["headers"], raw["body"])
