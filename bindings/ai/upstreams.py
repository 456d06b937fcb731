"""Upstreams: Cloudflare's REST API, and servers that speak OpenAI's (Ollama, vLLM, llama.cpp).

They are asked only when groundfog.toml names one. An error on the way has production's words where
they exist (a time-out is its 3007). Otherwise it is an `UpstreamError` with our words.
Source: https://developers.cloudflare.com/api/resources/ai/methods/run/.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from bindings.ai import openai
from bindings.ai.catalogue import BY_NAME, Api, Model
from bindings.ai.errors import failure, not_emulated
from bindings.ai.replies import EVENT_STREAM, Media
from bindings.ai.settings import UpstreamSettings
from bindings.ai.upstream_http import Http, upstream_error
from bindings.binding import ByteStream
from emulator.errors import WorkerError

EXCERPT_CHARS = 80


class Cloudflare:
    """Workers AI itself, through Cloudflare's REST API."""

    takes_any_model = True

    def __init__(self, settings: UpstreamSettings) -> None:
        self.name = settings.name
        self._http = Http(settings)

    async def answer(self, model: str, inputs: Any) -> Any:
        """Return what the service answers; raises its errors."""
        settings = self._http.settings
        if not settings.account_id or not settings.api_key:
            raise upstream_error(
                self.name,
                "needs an account and a token: set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN "
                "(or what account_id_env and api_key_env name) in the environment",
            )
        path = f"/accounts/{quote(settings.account_id, safe='')}/ai/run/{quote(model, safe='@/')}"
        response = await self._http.post(path, **_body(inputs))
        if response.is_ok and response.content_type == EVENT_STREAM:
            return ByteStream(response.chunks(), EVENT_STREAM)
        if response.is_ok and response.content_type != "application/json":
            return Media(await response.read(), response.content_type)
        envelope = await response.object()
        if response.is_ok and envelope.get("success", True) and "result" in envelope:
            return envelope["result"]
        raise _service_error(envelope, response.status)

    async def close(self) -> None:
        await self._http.close()


def _body(inputs: Any) -> dict[str, Any]:
    """Return the body to post: inputs as JSON, or an upload as it is, with the other inputs."""
    if isinstance(inputs, bytes):
        return {"content": inputs, "headers": {"content-type": "application/octet-stream"}}
    if isinstance(inputs, Mapping):
        for name, value in inputs.items():
            if isinstance(value, Mapping) and isinstance(value.get("body"), bytes):
                kind = str(value.get("contentType") or "application/octet-stream")
                others = {k: _plain(v) for k, v in inputs.items() if k != name and v is not None}
                params = {k: v if isinstance(v, str) else json.dumps(v) for k, v in others.items()}
                return {
                    "content": value["body"],
                    "headers": {"content-type": kind},
                    "params": params,
                }
    return {"json": _plain(inputs)}


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return list(value)
        case Mapping():
            return {key: _plain(item) for key, item in value.items() if item is not None}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def _service_error(envelope: Mapping[str, Any], status: int) -> WorkerError:
    errors = envelope.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, Mapping):
        text = json.dumps(envelope, ensure_ascii=False)
        return WorkerError(text, name="InferenceUpstreamError", code=status)
    code = first.get("code")
    name, _, text = str(first.get("message") or "").rpartition("Error: ")
    number = code if isinstance(code, int) else status
    return failure(number, text or f"status {status}", f"{name}Error" if name else "AiError")


class OpenAi:
    """A server that speaks OpenAI's API: text generation and embeddings."""

    takes_any_model = False

    def __init__(self, settings: UpstreamSettings) -> None:
        self.name = settings.name
        self._http = Http(settings)

    async def answer(self, model: str, inputs: Any) -> Any:
        """Return the answer in Cloudflare's shape. Raises WorkerError."""
        known = BY_NAME.get(model) or Model(model, BY_NAME[_USUAL].task, Api.GENERATION)
        theirs = self._their_name(model)
        match known.api:
            case Api.EMBEDDINGS | Api.M3 | Api.QWEN_EMBEDDINGS:
                request = openai.embedding_request(theirs, known, inputs)
                found = await self._ask("/embeddings", request)
                return openai.embedding_answer(self.name, theirs, known, inputs, found)
            case Api.GENERATION | Api.GUARD | Api.CHAT:
                return await self._chat(theirs, known, inputs)
            case Api.RESPONSES:
                return await self._responses(theirs, inputs)
            case _:
                raise not_emulated(
                    f"{known.task} by the upstream {self.name}",
                    "An [[ai.rules]] entry in groundfog.toml can answer for it.",
                )

    def _their_name(self, model: str) -> str:
        models = self._http.settings.models
        for glob, name in models.items():
            if fnmatch.fnmatchcase(model, glob):
                return name
        if models:
            raise upstream_error(
                self.name, f'has no model for {model}: add models = {{ "{model}" = "…" }}'
            )
        return model

    async def _chat(self, theirs: str, model: Model, inputs: Mapping[str, Any]) -> Any:
        request = openai.chat_request(theirs, model, inputs)
        if not request.get("stream"):
            found = await self._ask("/chat/completions", request)
            return openai.chat_answer(self.name, model, inputs, found)
        chunks = await self._stream("/chat/completions", request)
        if model.api == Api.CHAT:
            return ByteStream(chunks, EVENT_STREAM)
        return ByteStream(openai.legacy_events(chunks), EVENT_STREAM)

    async def _responses(self, theirs: str, inputs: Mapping[str, Any]) -> Any:
        request = {**_plain(inputs), "model": theirs}
        if request.get("stream"):
            return ByteStream(await self._stream("/responses", request), EVENT_STREAM)
        return await self._ask("/responses", request)

    async def _ask(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        response = await self._http.post(path, json=_plain(request))
        found = await response.object()
        if response.is_ok:
            return found
        raise self._refused(response.status, found)

    async def _stream(self, path: str, request: Mapping[str, Any]) -> AsyncIterator[bytes]:
        response = await self._http.post(path, json=_plain(request))
        if not response.is_ok:
            raise self._refused(response.status, await response.object())
        if response.content_type != EVENT_STREAM:
            shown = (await response.read())[:EXCERPT_CHARS].decode(errors="replace")
            raise upstream_error(self.name, f"answered a stream with {shown!r}")
        return response.chunks()

    def _refused(self, status: int, found: Mapping[str, Any]) -> WorkerError:
        error = found.get("error")
        told = error.get("message") if isinstance(error, Mapping) else error
        text = f"{status}: {told or json.dumps(found, ensure_ascii=False)}"
        return WorkerError(text, name="InferenceUpstreamError", code=status)

    async def close(self) -> None:
        await self._http.close()


_USUAL = "@cf/meta/llama-3.1-8b-instruct"
