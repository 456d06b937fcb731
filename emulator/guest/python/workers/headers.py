"""Header lists <-> what user code reads and writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http.client import HTTPMessage
from typing import Any

from ..pyodide.ffi import JsException

HeaderList = list[tuple[str, str]]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class HTTPMessageMapping(HTTPMessage):
    """Headers as a case-insensitive mapping; a missing name reads as None.

    Source: python-workers.md section 6.3.
    """


Mapping.register(HTTPMessageMapping)


def as_message(headers: HeaderList) -> HTTPMessageMapping:
    """Return a new mapping: repeated names are joined with a comma, Set-Cookie excepted."""
    message = HTTPMessageMapping()
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in headers:
        lower = name.lower()
        if lower == "set-cookie":
            cookies.append(value)
        else:
            joined[lower] = f"{joined[lower]}, {value}" if lower in joined else value
    for name, value in joined.items():
        message.add_header(name, value)
    for cookie in cookies:
        message.add_header("set-cookie", cookie)
    return message


def from_user(headers: Any) -> HeaderList:
    """Return the header list that user code gave as a mapping or as pairs.

    Raises TypeError for other types, JsException for names or values HTTP does not allow.
    """
    if headers is None:
        return []
    if isinstance(headers, Mapping):
        pairs: Iterable[Any] = headers.items()
    elif isinstance(headers, list | tuple):
        pairs = headers
    elif hasattr(headers, "items"):
        pairs = headers.items()
    else:
        raise TypeError("Received unexpected type for headers argument")
    return [_checked(name, value) for name, value in pairs]


def _checked(name: Any, value: Any) -> tuple[str, str]:
    text = _js_text(value).strip(" \t")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise JsException(f"Invalid header name: {name!r}.", "TypeError")
    if any(forbidden in text for forbidden in "\r\n\0"):
        raise JsException(f"Invalid header value for {name}: {text!r}.", "TypeError")
    # HTTP carries bytes; the wire here carries latin-1 characters for them.
    return name, text if text.isascii() else _as_latin_1(text)


def _as_latin_1(text: str) -> str:
    try:
        text.encode("latin-1")
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8").decode("latin-1")


def _js_text(value: Any) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    return "null" if value is None else str(value)
