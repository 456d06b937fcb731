"""The connection to an upstream: requests, responses, and errors on the way.

A time-out is production's 3007; everything else is an `UpstreamError` that names the upstream.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bindings.ai.errors import failure
from bindings.ai.settings import UpstreamSettings
from emulator.errors import WorkerError

if TYPE_CHECKING:
    import httpx

ANSWER_MAX_BYTES = 64 * 1024 * 1024
EXCERPT_CHARS = 80


def upstream_error(name: str, problem: str) -> WorkerError:
    return WorkerError(f"The upstream {name} of env.AI {problem}", name="UpstreamError")


class Http:
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
        """Yield the body as it arrives. Raises WorkerError when the connection breaks."""
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
            self._name, f"answered {self.status}, but not with a JSON object: {shown!r}"
        )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
