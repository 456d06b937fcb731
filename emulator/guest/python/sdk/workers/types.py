"""`workers.types`: names for annotations."""

from __future__ import annotations

from collections.abc import Awaitable
from http import HTTPMethod
from typing import Any, Protocol, TypeAlias, TypedDict

JSBody: TypeAlias = "js.Blob | JsBuffer | js.FormData | js.ReadableStream | js.URLSearchParams"  # type: ignore[name-defined]  # noqa: F821
Body: TypeAlias = "str | FormData | JSBody"  # type: ignore[name-defined]  # noqa: F821
Headers: TypeAlias = "dict[str, str] | list[tuple[str, str]] | js.Headers"  # type: ignore[name-defined]  # noqa: F821


class Context(Protocol):
    """`self.ctx`."""

    def waitUntil(self, other: Awaitable[Any]) -> None:
        """Keep the request alive until an awaitable has settled."""


class RequestInitCfProperties(TypedDict, total=False):
    """What `cf` of a request may have."""

    cacheEverything: bool | None
    cacheKey: str | None
    cacheTags: list[str] | None
    cacheTtl: int
    cacheTtlByStatus: dict[str, int]


class FetchKwargs(TypedDict, total=False):
    """The options of `fetch` and `Request`."""

    headers: Any
    body: Any
    method: HTTPMethod | str | None
    redirect: str | None
    cf: RequestInitCfProperties
    fetcher: Any
