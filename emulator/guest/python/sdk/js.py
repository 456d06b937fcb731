"""`js`: the few globals that mean something without JavaScript; `absent` speaks for the others.

Source: docs/platform/python-workers.md, "JavaScript's names".
"""

from __future__ import annotations

import json as _json
import sys as _sys
from collections.abc import Iterable
from typing import Any

from ..streams import ReadableStream
from ..web_sockets import WebSocket, WebSocketPair
from .absent import JsObject
from .jsdict import JsDict
from .jsproxy import plain as _plain
from .workers.request import Request
from .workers.response import Response

__all__ = [
    "JSON",
    "Object",
    "ReadableStream",
    "Request",
    "Response",
    "WebSocket",
    "WebSocketPair",
    "console",
]


class Object(JsObject):
    """`Object.fromEntries`, the usual `dict_converter`."""

    @staticmethod
    def fromEntries(entries: Iterable[tuple[str, Any]]) -> JsDict:
        """Return an object of the pairs."""
        return JsDict(entries)

    @staticmethod
    def new(**members: Any) -> JsDict:
        """Return an empty object."""
        return JsDict(members)


class JSON(JsObject):
    """`JSON.stringify` and `JSON.parse`."""

    @staticmethod
    def stringify(value: Any, replacer: Any = None, indent: int | None = None) -> str:
        """Return compact JSON."""
        separators = (",", ":") if indent is None else (",", ": ")
        value = _plain(value)
        return _json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)

    @staticmethod
    def parse(text: str) -> Any:
        """Return the value `text` describes."""
        return _json.loads(text, object_pairs_hook=JsDict)


class _Console(JsObject):
    def log(self, *parts: Any) -> None:
        print(*parts)

    info = debug = log

    def warn(self, *parts: Any) -> None:
        print(*parts, file=_sys.stderr)

    error = warn


_Console.__name__ = "console"
console = _Console()
