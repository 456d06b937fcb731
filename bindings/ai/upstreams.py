"""Upstreams: Cloudflare's REST API, and servers that speak OpenAI's (Ollama, vLLM, llama.cpp).

Asked only when groundfog.toml names one. What goes wrong on the way is told in production's words
where it has any (a time-out is its 3007), else in ours as an `UpstreamError`.
Source: developers.cloudflare.com/api "Execute AI model".
"""

from __future__ import annotations

import fnmatch
import ipaddress
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from bindings.ai import openai
from bindings.ai.catalogue import BY_NAME, Api, Model
from bindings.ai.errors import failure, not_emulated
from bindings.ai.replies import EVENT_STREAM, Media
from bindings.binding import ByteStream
from emulator.errors import WorkerError

if TYPE_CHECKING:
    import httpx

ANSWER_MAX_BYTES = 64 * 1024 * 1024
EXCERPT_CHARS = 80


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Where an upstream is; `models` maps globs of Cloudflare's names to the upstream's own."""

    name: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    account_id: str | None = None
    timeout_ms: int = 60_000
    models: Mapping[str, str] = field(default_factory=dict)


def upstream_error(name: str, problem: str) -> WorkerError:
    return WorkerError(f"The upstream {name} of env.AI {problem}", name="UpstreamError")


class _Http:
    """One upstream's connection. Made at its first use, since httpx takes long to import."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self.settings = settings
        self._client: httpx.AsyncClient | None = None

    def _open(self) -> httpx.AsyncClient:
        import httpx

        if self._client is None:
            headers = {"user-agent": "groundfog"}
            if self.settings.api_key:
                headers["authorization"] = f"Bearer {self.settings.api_key}"
            self._client = httpx.AsyncClient(
                headers=headers,
                timeout=self.settings.timeout_ms / 1000,
                trust_env=not _is_loopback(self.settings.base_url),  # no proxy to this machine
            )
        return self._client

    async def post(self, path: str, **body: Any) -> Response:
        """Return the response of a POST, its body not yet read. Raises WorkerError."""
        import httpx

        client = self._open()
        name, url = self.settings.name, self.settings.base_url.rstrip("/") + path
        request = client.build_request("POST", url, **body)
        try:
            return Response(name, await client.send(request, stream=True))
        except httpx.TimeoutException:
            raise failure(3007) from None
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise upstream_error(name, f"cannot be reached at {url}: {why}") from None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


class Response:
    """A response whose body is read once: whole, or as a stream."""

    def __init__(self, name: str, response: httpx.Response) -> None:
        self._name = name
        self._response = response
        self.status: int = response.status_code
        kind: str = response.headers.get("content-type", "")
        self.content_type = kind.partition(";")[0].strip().lower()

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises WorkerError when it breaks off."""
        import httpx

        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
        except httpx.TimeoutException:
            raise failure(3007) from None
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise upstream_error(self._name, f"broke off its answer: {why}") from None
        finally:
            await self._response.aclose()

    async def read(self) -> bytes:
        """Return the whole body. Raises WorkerError."""
        whole = bytearray()
        async for chunk in self.chunks():
            whole += chunk
            if len(whole) > ANSWER_MAX_BYTES:
                await self._response.aclose()
                most = f"{ANSWER_MAX_BYTES:,} bytes"
                raise upstream_error(self._name, f"answered with more than {most}")
        return bytes(whole)

    async def object(self) -> dict[str, Any]:
        """Return the body, which must be a JSON object. Raises WorkerError."""
        content = await self.read()
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            return value
        shown = content[:EXCERPT_CHARS].decode(errors="replace")
        raise upstream_error(
            self._name, f"answered {self.status} with what is no JSON object: {shown!r}"
        )


class Cloudflare:
    """Workers AI itself, through Cloudflare's REST API."""

    takes_any_model = True

    def __init__(self, settings: UpstreamSettings) -> None:
        self.name = settings.name
        self._http = _Http(settings)

    async def answer(self, model: str, inputs: Any) -> Any:
        """Return what the service answers; raises its errors."""
        settings = self._http.settings
        if not settings.account_id or not settings.api_key:
            raise upstream_error(
                self.name,
                "needs an account and a token: set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN "
                "(or what account_id_env and api_key_env name) in the environment",
            )
        path = f"/accounts/{quote(settings.account_id)}/ai/run/{quote(model, safe='@/')}"
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
    """Return what is posted: inputs as JSON, or an upload as it is with the others beside it."""
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
        self._http = _Http(settings)

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


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
