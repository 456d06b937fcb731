"""`workers.Request`. Source: docs/platform/python-workers.md, "Requests"."""

from __future__ import annotations

from http import HTTPMethod
from typing import Any

from ...streams import ReadableStream
from ..javascript.urls import URL
from ..jsobject import is_named, shown
from ..jsproxy import plain, proxied
from ..pyodide.ffi import JsException
from . import cf
from .body import Body
from .headers import HeaderList, HTTPMessageMapping, as_message, from_user

_BODYLESS = ("GET", "HEAD")


class Request(Body):
    """An HTTP request: the one being handled, or one to send with `fetch`."""

    _whose = "Request"
    is_received = False
    _signal: Any = None
    _cf: Any = None

    def __new__(cls, input: Any = None, **options: Any) -> Request:
        if not is_named(input, "Request"):
            return super().__new__(cls)
        if options:
            raise ValueError("Expected no options when constructing Request from a js.Request")
        own: Request = input._own
        return own

    def __init__(self, input: Any, **options: Any) -> None:
        if is_named(input, "Request"):
            return
        if isinstance(input, Request):
            self._copy(input, options)
        else:
            super().__init__(None)
            self._url = _normal_url(str(input))
            self._method = "GET"
            self._headers: HeaderList = []
            self.redirect = "follow"
        self._apply(options)

    @classmethod
    def received(
        cls, method: str, url: str, headers: list[list[str]], body: ReadableStream | None
    ) -> Request:
        """Return the request that arrived from outside; nothing is checked again."""
        request = object.__new__(cls)
        Body.__init__(request, body)
        request.is_received = True
        request._url = url
        request._method = method
        request._headers = headers  # type: ignore[assignment]  # pairs, as JSON has them
        request.redirect = "manual"
        return request

    def _copy(self, source: Request, options: dict[str, Any]) -> None:
        super().__init__(None if "body" in options else source._take())
        self._url = source._url
        self._method = source._method
        self._headers = list(source._headers)
        self.redirect = source.redirect
        self._cf, self.is_received = source._cf, False
        self._signal = source._signal
        if source.is_received:
            self._cf = source.cf

    def _apply(self, options: dict[str, Any]) -> None:
        if "method" in options:
            self._method = _method_name(options["method"])
        if "headers" in options:
            self._headers = from_user(options["headers"])
        if options.get("body") is not None:
            self._content = self._content_of(options["body"])
        self.redirect = _redirect(options.get("redirect", self.redirect))
        self._signal = options.get("signal") or self._signal
        if "cf" in options:
            self._cf = proxied(plain(options["cf"]), "request.cf")
        if self._content is not None and self._method in _BODYLESS:
            raise JsException("Request with a GET or HEAD method cannot have a body.", "TypeError")

    @property
    def cf(self) -> Any:
        """What Cloudflare says of the client; None for a request that was made here."""
        if self._cf is None and self.is_received:
            self._cf = cf.of_client()
        return self._cf

    @property
    def url(self) -> str:
        """The absolute URL."""
        return self._url

    @property
    def method(self) -> HTTPMethod:
        """The method; an unknown one raises KeyError, as in the SDK."""
        return HTTPMethod[self._method]

    @property
    def headers(self) -> HTTPMessageMapping:
        """A new mapping each time: changing it does not change the request."""
        return as_message(self._headers)

    @property
    def js_object(self) -> Any:
        """The request as `js.Request`."""
        return shown(self)

    @property
    def _js_request(self) -> Any:
        return self.js_object

    def clone(self) -> Request:
        """Return a copy with its own body. Raises OSError when the body has been read."""
        clone = Request.received(self._method, self._url, [], None)
        clone.is_received = False
        clone._content = self._share()
        clone._headers = list(self._headers)
        clone.redirect, clone._cf = self.redirect, self.cf
        return clone

    def _header_list(self) -> HeaderList:
        return self._headers

    def __repr__(self) -> str:
        return f"Request(method={self._method!r}, url={self._url!r})"


def wire_method(request: Request) -> str:
    """Return the method as it is sent."""
    return request._method


def _method_name(method: Any) -> str:
    name = str(getattr(method, "value", method)).upper()
    if not name.isalpha():
        raise JsException(f"Invalid HTTP method string: {method}", "TypeError")
    return name


def _redirect(given: Any) -> str:
    if given not in ("follow", "manual"):
        text = (
            'Invalid redirect value, must be one of "follow" or "manual" ("error" won\'t be '
            'implemented since it does not make sense at the edge; use "manual" and check the '
            "response status code)."
        )
        raise JsException(text, "TypeError")
    return str(given)


def _normal_url(url: str) -> str:
    try:
        return str(URL(url).href)
    except JsException:
        raise JsException(f"Invalid URL: {url}", "TypeError") from None


Request.__module__ = "workers"
