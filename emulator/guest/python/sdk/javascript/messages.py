"""`Request` and `Response`: what the SDK's classes of these names hold. Errors read as workerd's.

Source: https://fetch.spec.whatwg.org/.
"""

from __future__ import annotations

from typing import Any

from ...streams import ReadableStream
from ..jserror import JsException
from ..jsnull import JsNull, jsnull
from ..jsobject import JsObject, options, show_as
from ..jstext import js_text
from ..workers.body import Body
from ..workers.errors import AbortError
from ..workers.formdata import FormData as SdkFormData
from ..workers.formdata import as_multipart
from ..workers.request import Request as SdkRequest
from ..workers.response import Response as SdkResponse
from ..workers.response import raw_response
from .blobs import Blob, FormData
from .buffers import ArrayBuffer, Uint8Array, bytes_of
from .events import AbortController
from .functions import python_of
from .headers import Headers, header_list
from .promises import promised
from .text import JSON
from .urls import URL, URLSearchParams

_FORM = "application/x-www-form-urlencoded;charset=UTF-8"


class _Message(JsObject):
    """What both share: headers, and a body that can be read once."""

    _own: Body
    _immutable = False

    @property
    def headers(self) -> Headers:
        """The headers. To change them changes the message."""
        return Headers.of(self._own._header_list(), self._immutable)

    @property
    def body(self) -> Any:
        """The body as a stream; null if there is none."""
        body = self._own.body
        return jsnull if body is None else body

    @property
    def bodyUsed(self) -> bool:  # JavaScript's name
        """Whether it has been read, or is being read."""
        return self._own.body_used

    @promised
    async def text(self) -> str:
        """Read the body as UTF-8."""
        return str(await self._consumed(self._own.text))

    @promised
    async def json(self) -> Any:
        """Read the body as JSON."""
        return JSON.parse(await self._consumed(self._own.text))

    @promised
    async def arrayBuffer(self) -> ArrayBuffer:  # JavaScript's name
        """Read the body."""
        return ArrayBuffer(await self._consumed(self._own.bytes))

    @promised
    async def bytes(self) -> Uint8Array:
        """Read the body."""
        return Uint8Array(ArrayBuffer(await self._consumed(self._own.bytes)))

    @promised
    async def blob(self) -> Blob:
        """Read the body with its type."""
        return Blob.of(await self._consumed(self._own.blob))

    @promised
    async def formData(self) -> FormData:  # JavaScript's name
        """Read the body as a form."""
        try:
            return FormData.of(await self._consumed(self._own.form_data))
        except TypeError as error:
            raise JsException(str(error), "TypeError") from None

    async def _consumed(self, method: Any) -> Any:
        if self.bodyUsed:
            raise JsException(
                "Body has already been used. It can only be used once. Use tee() first if you "
                "need to read it twice.",
                "TypeError",
            )
        try:
            return await method()
        except AbortError as error:
            raise error.reason from None


class Request(_Message):
    """A request."""

    def __init__(self, input: Any, given: Any = None, **keywords: Any) -> None:
        chosen = dict(options(given, keywords))
        if "headers" in chosen:
            chosen["headers"] = header_list(chosen["headers"])
        if chosen.get("body") is not None and not isinstance(chosen["body"], JsNull):
            chosen["body"], kind = _content(chosen["body"])
            self._own = SdkRequest(_input(input), **chosen)
            if kind:
                self._own._default_type(kind)
            return
        chosen.pop("body", None)
        self._own = SdkRequest(_input(input), **chosen)

    @classmethod
    def of(cls, own: SdkRequest) -> Request:
        """Return what shows a Request of the SDK."""
        made = cls.__new__(cls)
        made._own = own
        made._immutable = own.is_received
        return made

    @property
    def _request(self) -> SdkRequest:
        assert isinstance(self._own, SdkRequest)
        return self._own

    @property
    def url(self) -> str:
        """The URL."""
        return self._request.url

    @property
    def method(self) -> str:
        """The method."""
        return self._request._method

    @property
    def redirect(self) -> str:
        """What becomes of redirects."""
        return self._request.redirect

    @property
    def cf(self) -> Any:
        """What Cloudflare says of the client; undefined for a request that was made here."""
        return self._request.cf

    @property
    def signal(self) -> Any:
        """What aborts it."""
        if self._request._signal is None:
            self._request._signal = AbortController().signal
        return self._request._signal

    cache = mode = credentials = "no-store"
    integrity = ""
    keepalive = False

    def clone(self) -> Request:
        """Return a copy with its own body."""
        if self.bodyUsed:
            raise JsException("Cannot clone a request whose body has been used.", "TypeError")
        return Request.of(self._request.clone())


class Response(_Message):
    """A response."""

    def __init__(self, body: Any = None, given: Any = None, **keywords: Any) -> None:
        if isinstance(given, Response):
            keywords = {"status": given.status, "headers": given.headers}
            keywords["statusText"], given = given.statusText, None
        chosen = options(given, keywords)
        content, kind = _content(body)
        self._own = raw_response(
            int(chosen.get("status") or 200),
            header_list(chosen.get("headers")),
            None,
            js_text(chosen.get("statusText") or ""),
            python_of(chosen.get("webSocket")),
        )
        self._response.set_content(content)
        if kind:
            self._own._default_type(kind)

    @classmethod
    def of(cls, own: SdkResponse) -> Response:
        """Return what shows a Response of the SDK."""
        made = cls.__new__(cls)
        made._own = own
        made._immutable = own.is_received
        return made

    @staticmethod
    def redirect(url: Any, status: int = 302) -> Response:
        """Return a redirect."""
        if status not in (301, 302, 303, 307, 308):
            raise JsException(f"{status} is not a redirect status code.", "RangeError")
        return Response.of(raw_response(status, [("location", URL(url).href)], None))

    @staticmethod
    def error() -> Response:
        """Refuse: workerd has it for compatibility only."""
        return Response.of(raw_response(500, [], None))

    @property
    def _response(self) -> SdkResponse:
        assert isinstance(self._own, SdkResponse)
        return self._own

    @property
    def status(self) -> int:
        """The status."""
        return self._response.status

    @property
    def statusText(self) -> str:  # JavaScript's name
        """The text of the status."""
        return self._response.status_text

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return self._response.ok

    @property
    def url(self) -> str:
        """Where it comes from."""
        return self._response.url

    @property
    def redirected(self) -> bool:
        """Whether a redirect led to it."""
        return self._response.redirected

    @property
    def type(self) -> str:
        """`"default"`."""
        return self._response.type

    @property
    def webSocket(self) -> Any:  # JavaScript's name
        """The WebSocket that it carries; null if there is none."""
        socket = self._response.web_socket
        return jsnull if socket is None else socket

    def clone(self) -> Response:
        """Return a copy with its own body."""
        if self.bodyUsed:
            raise JsException("Cannot clone a response whose body has been used.", "TypeError")
        return Response.of(self._response.copied())


def _json_response(data: Any, given: Any = None, **keywords: Any) -> Response:
    text = JSON.stringify(data)
    if text is None:
        raise JsException("Value is not JSON serializable", "TypeError")
    response = Response(text.encode(), given, **keywords)
    response._own._default_type("application/json")
    return response


class _Json:
    """`Response.json(data)` makes a response, `response.json()` reads one."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        return _json_response if instance is None else _Message.json.__get__(instance)


Response.json = _Json()  # type: ignore[assignment]


def _input(given: Any) -> Any:
    if isinstance(given, Request):
        return given._own
    return given.href if isinstance(given, URL) else given


def _content(body: Any) -> tuple[Any, str]:
    """Return a body as bytes, a stream or None, and its content type."""
    body = python_of(body)
    if body is None or isinstance(body, JsNull):
        return None, ""
    if isinstance(body, ReadableStream):
        return body, ""
    if isinstance(body, FormData | SdkFormData):
        return as_multipart(body._own if isinstance(body, FormData) else body)
    if isinstance(body, Blob):
        return body._own._data, body.type
    if isinstance(body, URLSearchParams):
        return body.toString().encode(), _FORM
    data = None if isinstance(body, str) else bytes_of(body)
    if data is not None:
        return data, ""
    return js_text(body).encode(), "text/plain;charset=UTF-8"


show_as(SdkRequest, Request.of)
show_as(SdkResponse, Response.of)
