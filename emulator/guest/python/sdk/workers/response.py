"""`workers.Response`. Source: docs/platform/python-workers.md, "Responses"."""

from __future__ import annotations

import copy
import json
from http.client import responses as reason_phrases
from typing import Any
from urllib.parse import urlsplit

from ... import deployed
from ...encoded_streams import as_sent
from ...web_sockets import WebSocket
from ..javascript.promises import as_exception
from ..javascript.text import JSON
from ..jsobject import is_named, shown
from ..jsproxy import JsProxy
from ..pyodide.ffi import JsException
from .body import Body, header
from .errors import AbortError, BodyUsedError, HttpStatusError
from .headers import HeaderList, HTTPMessageMapping, as_message, from_user

NULL_BODY = (101, 204, 205, 304)
_REDIRECTS = (301, 302, 303, 307, 308)


class _JsonMethod:
    """`Response.json(data, …)` makes a response; `await response.json()` reads one."""

    def __get__(self, instance: Any, owner: type[Response]) -> Any:
        return owner.from_json if instance is None else Body.json.__get__(instance)


class Response(Body):
    """An HTTP response: to return, or as `fetch` gave it."""

    is_received = False  # from elsewhere: as `js.Response` its headers cannot be changed
    abort_controller: Any = None
    abort_signal: Any = None
    _already_used = "Response body is already used"
    _whose = "Response"
    _used_error = BodyUsedError

    def __new__(cls, body: Any = None, *args: Any, **options: Any) -> Response:
        if not is_named(body, "Response"):
            return super().__new__(cls)
        if args or any(options.values()):
            raise ValueError("Expected no options when constructing Response from a js.Response")
        own: Response = body._own
        return own

    def __init__(
        self,
        body: Any = None,
        status: int | None = None,
        status_text: str = "",
        headers: Any = None,
        web_socket: Any = None,
    ) -> None:
        if is_named(body, "Response"):
            return
        self._headers = from_user(headers) if headers else []
        super().__init__(None if body is None else self._content_of(body))
        self.web_socket = _web_socket(web_socket)
        self.status = _status(status, web_socket is not None)
        self.status_text = status_text or ""
        self.url = ""
        self.redirected = False
        self.type = "default"
        self._cloned_at = ""  # of a clone: the line that made it
        self._check_body()

    def set_content(self, content: Any) -> None:
        """Replace the body. Raises JsException for a status that has none."""
        self._content = content
        self._check_body()

    def _check_body(self) -> None:
        if self._content and self.status in NULL_BODY:
            raise JsException(
                "Response with null body status (101, 204, 205, or 304) cannot have a body.",
                "TypeError",
            )

    @staticmethod
    def _type_name(value: Any) -> str:
        return value.constructor.name if isinstance(value, JsProxy) else type(value).__name__

    @property
    def headers(self) -> HTTPMessageMapping:
        """A new mapping each time: changing it does not change the response."""
        return as_message(self._headers)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def js_object(self) -> Any:
        """The response as `js.Response`."""
        return shown(self)

    js_response = js_object

    async def bytes(self) -> bytes:
        """Read the body. Raises AbortError, or OSError when it has been read before."""
        if self.abort_signal is not None and self.abort_signal.aborted:
            raise AbortError(as_exception(self.abort_signal.reason))
        try:
            return await super().bytes()
        except JsException as error:
            raise AbortError(error) from None

    def abort(self, reason: Any = None) -> None:
        """Stop the request of a response of `pyfetch`. Raises ValueError for another one."""
        if self.abort_controller is None:
            raise ValueError("abort_controller is not set")
        given = None if reason is None else JsException(str(reason), "AbortError")
        self.abort_controller.abort(given)

    async def string(self) -> str:
        """Read the body as UTF-8."""
        return await self.text()

    async def memoryview(self) -> memoryview:
        """Read the body as a view."""
        return memoryview(await self.bytes())

    def raise_for_status(self) -> None:
        """Raise HttpStatusError, an OSError, for 4xx and 5xx."""
        if self.status >= 400:
            reason = self.status_text or reason_phrases.get(self.status, "")
            raise HttpStatusError(self.status, reason, self.url)

    def clone(self) -> Response:
        """Return a copy with its own body. Raises OSError when the body has been read."""
        if self.web_socket is not None:
            text = "Cannot clone a response to a WebSocket handshake."
            raise JsException(text, "TypeError")
        clone = self.copied()
        clone._cloned_at = deployed.place()
        return clone

    def copied(self) -> Response:
        """Return a copy with its own body, as JavaScript's `clone` does."""
        clone = copy.copy(self)
        clone._content = self._share()
        clone._headers = list(self._headers)
        return clone

    def replace_body(self, body: Any) -> Response:
        """Return a response with the same status and headers and another body."""
        return Response(body, self.status, self.status_text, self._headers)

    @staticmethod
    def redirect(url: str, status: int = 302) -> Any:
        """Return a redirect, a `js.Response`. Raises ValueError for other statuses."""
        if status not in _REDIRECTS:
            raise ValueError(f"{status} is not a redirect status code.")
        parts = urlsplit(url)
        if not parts.scheme:
            raise TypeError("Unable to parse URL.")
        location = parts._replace(path=parts.path or "/").geturl()
        return Response(None, status, headers={"location": location}).js_object

    @staticmethod
    def from_json(
        data: Any, status: int | None = 200, status_text: str = "", headers: Any = None
    ) -> Response:
        """Return `data` as JSON, written as `json.dumps` does. Raises its TypeError.

        A JSON variable is written by JavaScript: without spaces.
        """
        if isinstance(data, JsProxy):
            text = JSON.stringify(data) or "undefined"
        else:
            text = json.dumps(data)
        response = Response(text.encode(), status, status_text, headers)
        response._default_type("application/json")
        return response

    json = _JsonMethod()

    def _header_list(self) -> HeaderList:
        return self._headers

    def __repr__(self) -> str:
        shown = f"status={self.status}"
        if self.status_text:
            shown += f", status_text={self.status_text!r}"
        return f"Response({shown}, content_type={self._content_type()!r})"


FetchResponse = Response
Response.__module__ = "workers"


def raw_response(
    status: int, headers: HeaderList, body: Any, reason: str = "", web_socket: Any = None
) -> Response:
    """Return a response with a body of bytes, a stream or None, of which nothing is warned."""
    response = Response(None, status, reason, headers, web_socket)
    response._content = body
    return response


def head_and_body(response: Response) -> tuple[HeaderList, Any]:
    """Return the headers as written, repeats kept, and the body, which is then used.

    Warns of a clone: in the published SDK it is a FetchResponse, not a Response.
    """
    if response._cloned_at:
        deployed.warn(
            "fetch() returns the clone of a response: deployed, that is no Response, and the "
            "request fails. Return the response itself, and read its clone.",
            response._cloned_at,
        )
    encoding = header(response._headers, "content-encoding") or ""
    return response._headers, as_sent(response._take(), encoding)


def _web_socket(value: Any) -> WebSocket | None:
    if value is not None and not isinstance(value, WebSocket):
        raise TypeError(f"web_socket must be a WebSocket, not {type(value).__name__}")
    return value


def _status(status: int | None, is_web_socket: bool) -> int:
    code = int(status or 200)
    if is_web_socket and code == 101:
        return code
    if is_web_socket or code == 101:
        raise JsException("Responses with a WebSocket must have status code 101.", "RangeError")
    if not 200 <= code <= 599:
        raise JsException(
            "Responses may only be constructed with status codes in the range 200 to 599, "
            "inclusive.",
            "RangeError",
        )
    return code
