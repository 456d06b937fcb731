"""`js`: JavaScript's globals, written in Python; `absent` speaks for those that are not here.

Source: docs/platform/python-workers.md, "JavaScript's names".
"""

from __future__ import annotations

import sys as _sys
from typing import Any

from .. import flags as _flags
from .. import scope as _scope
from ..objects.sockets import WebSocketRequestResponsePair
from ..streams import ReadableStream
from ..web_sockets import WebSocket, WebSocketPair
from .javascript.blobs import Blob, File, FormData
from .javascript.buffers import (
    ArrayBuffer,
    BigInt64Array,
    BigUint64Array,
    DataView,
    Float32Array,
    Float64Array,
    Int8Array,
    Int16Array,
    Int32Array,
    Uint8Array,
    Uint8ClampedArray,
    Uint16Array,
    Uint32Array,
)
from .javascript.caches import caches
from .javascript.clones import structuredClone
from .javascript.collections import Array, Map, Object, Set
from .javascript.crypto import CryptoKey, SubtleCrypto, crypto
from .javascript.dates import Date
from .javascript.errors import (
    Error,
    EvalError,
    RangeError,
    ReferenceError_,
    SyntaxError_,
    TypeError_,
    URIError,
)
from .javascript.events import (
    AbortController,
    AbortSignal,
    CustomEvent,
    Event,
    EventTarget,
    clearInterval,
    clearTimeout,
    performance,
    queueMicrotask,
    scheduler,
    setInterval,
    setTimeout,
)
from .javascript.headers import Headers
from .javascript.mathematics import Math
from .javascript.messages import Request, Response
from .javascript.numbers import Boolean, Number, String, isFinite, isNaN, parseFloat, parseInt
from .javascript.outbound import fetch
from .javascript.patterns import RegExp
from .javascript.promises import Promise
from .javascript.reflecting import Proxy, Reflect
from .javascript.rewriting import HTMLRewriter
from .javascript.streams import (
    FixedLengthStream,
    IdentityTransformStream,
    TransformStream,
    WritableStream,
)
from .javascript.text import JSON, TextDecoder, TextEncoder, atob, btoa
from .javascript.urls import (
    URL,
    URLSearchParams,
    decodeURI,
    decodeURIComponent,
    encodeURI,
    encodeURIComponent,
)
from .jsobject import JsObject
from .jstext import js_text as _js_text

undefined = None
globalThis = self = _sys.modules[__name__]
NaN, Infinity = float("nan"), float("inf")


class _Console(JsObject):
    def debug(self, *parts: Any) -> None:
        _print("debug", parts, _sys.stdout)

    def info(self, *parts: Any) -> None:
        _print("info", parts, _sys.stdout)

    def log(self, *parts: Any) -> None:
        _print("log", parts, _sys.stdout)

    def warn(self, *parts: Any) -> None:
        _print("warn", parts, _sys.stderr)

    def error(self, *parts: Any) -> None:
        _print("error", parts, _sys.stderr)


class _Navigator(JsObject):
    userAgent = "Cloudflare-Workers"
    language = "en"


def _print(level: str, parts: tuple[Any, ...], stream: Any) -> None:
    trace = getattr(_scope.find(), "trace", None)
    if trace is None:
        print(*map(_shown, parts), file=stream)
        return
    trace.log(level, list(parts))
    trace.is_console = True
    print(*map(_shown, parts), file=stream)
    trace.is_console = False


def __getattr__(name: str) -> Any:
    if name == "Buffer" and _flags.is_on(_flags.NODEJS_COMPAT):
        from .javascript.node_buffers import Buffer

        return Buffer
    raise AttributeError(name)


def _shown(part: Any) -> Any:
    return _js_text(part) if part is None or isinstance(part, bool) else part


_Console.__name__, _Navigator.__name__ = "console", "Navigator"
console = _Console()
navigator = _Navigator()
globals().update(TypeError=TypeError_, SyntaxError=SyntaxError_, ReferenceError=ReferenceError_)

__all__ = [
    "AbortController",
    "AbortSignal",
    "Array",
    "ArrayBuffer",
    "BigInt64Array",
    "BigUint64Array",
    "Blob",
    "Boolean",
    "CryptoKey",
    "CustomEvent",
    "DataView",
    "Date",
    "Error",
    "EvalError",
    "Event",
    "EventTarget",
    "File",
    "FixedLengthStream",
    "Float32Array",
    "Float64Array",
    "FormData",
    "HTMLRewriter",
    "Headers",
    "IdentityTransformStream",
    "Infinity",
    "Int8Array",
    "Int16Array",
    "Int32Array",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Promise",
    "Proxy",
    "RangeError",
    "ReadableStream",
    "Reflect",
    "RegExp",
    "Request",
    "Response",
    "Set",
    "String",
    "SubtleCrypto",
    "TextDecoder",
    "TextEncoder",
    "TransformStream",
    "URIError",
    "URL",
    "URLSearchParams",
    "Uint8Array",
    "Uint8ClampedArray",
    "Uint16Array",
    "Uint32Array",
    "WebSocket",
    "WebSocketPair",
    "WebSocketRequestResponsePair",
    "WritableStream",
    "atob",
    "btoa",
    "caches",
    "clearInterval",
    "clearTimeout",
    "console",
    "crypto",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "fetch",
    "globalThis",
    "isFinite",
    "isNaN",
    "navigator",
    "parseFloat",
    "parseInt",
    "performance",
    "queueMicrotask",
    "scheduler",
    "self",
    "setInterval",
    "setTimeout",
    "structuredClone",
    "undefined",
]
