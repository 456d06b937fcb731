"""Header lists <-> what user code reads and writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http.client import HTTPMessage
from typing import Any

from ... import deployed
from ..jsobject import is_named
from ..jstext import js_text
from ..pyodide.ffi import JsException

HeaderList = list[tuple[str, str]]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_WHITE_SPACE = " \t\r\n"  # what the Fetch standard cuts off at both ends of a value


class HTTPMessageMapping(HTTPMessage):
    """Headers as a case-insensitive mapping; a missing name reads as None.

    Source: docs/platform/python-workers.md, "Requests".
    """


Mapping.register(HTTPMessageMapping)


def as_message(headers: HeaderList) -> HTTPMessageMapping:
    """Return a new mapping in the order of `joined`."""
    message = HTTPMessageMapping()
    for name, value in joined(headers):
        message.add_header("Set-Cookie" if name == "set-cookie" else name, value)
    return message


def joined(headers: HeaderList) -> HeaderList:
    """Return headers in the order of their names, in lower case, repeats joined.

    Cookies that are set come first, each by itself.
    """
    found: dict[str, str] = {}
    cookies: HeaderList = []
    for name, value in headers:
        lower = name.lower()
        if lower == "set-cookie":
            cookies.append((lower, value))
        else:
            found[lower] = f"{found[lower]}, {value}" if lower in found else value
    return cookies + sorted(found.items())


def from_user(headers: Any) -> HeaderList:
    """Return the header list that user code gave: a dict, a list of pairs, or `js.Headers`.

    Raises TypeError for other types, JsException for names or values HTTP does not allow.
    Source: https://github.com/cloudflare/workers-py/blob/main/packages/runtime-sdk/src/workers/utils.py
    (_to_js_headers).
    """
    if isinstance(headers, dict):
        return [checked_header(name, value) for name, value in headers.items()]
    if isinstance(headers, list):
        return [checked_header(*_pair(item)) for item in headers]
    if is_named(headers, "Headers"):
        return list(headers._list)
    hint = " Write dict(headers)." if isinstance(headers, Mapping) else ""
    raise TypeError(
        f"Received unexpected type for headers argument: {type(headers)}; expected a dict or a "
        f"list of pairs.{hint}"
    )


def for_fetch(headers: Any) -> Any:
    """Return what `fetch(headers=…)` takes beyond a dict and a list as one of them."""
    if headers is None:
        return []
    if isinstance(headers, dict | list | str) or not isinstance(headers, Iterable):
        return headers
    if isinstance(headers, Mapping):
        deployed.warn(
            "fetch() takes headers as a dict or as pairs: with those of a request or response as "
            "they are it fails when it is deployed. Write headers=dict(…)."
        )
        return dict(headers)
    return list(headers)


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, list | tuple) or len(item) != 2:
        raise JsException(f"Headers are pairs of a name and a value, not {item!r}.", "TypeError")
    return item[0], item[1]


def checked_header(name: Any, value: Any) -> tuple[str, str]:
    """Return a header as text. Raises JsException for what HTTP does not allow."""
    name = js_text(name)
    text = js_text(value).strip(_WHITE_SPACE)
    if not _NAME.fullmatch(name):
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
