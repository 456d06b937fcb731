"""Text and JSON: `TextEncoder`, `TextDecoder`, `atob`, `btoa`, `JSON`, and numbers of texts."""

from __future__ import annotations

import base64
import codecs
import json
import math
import re
from typing import Any

from ..jserror import JsException
from ..jsnull import UNDEFINED, JsNull
from ..jsobject import JsObject, options
from ..jsproxy import DataProxy, JsProxy, proxied
from ..jstext import js_text
from .buffers import ArrayBuffer, TypedArray, Uint8Array, bytes_of
from .collections import LiteralMap


class TextEncoder(JsObject):
    """Text to UTF-8."""

    encoding = "utf-8"

    def encode(self, text: Any = "") -> Uint8Array:
        """Return the bytes of a text."""
        data = js_text(text).encode("utf-8", "replace")
        return Uint8Array(ArrayBuffer(data))


class TextDecoder(JsObject):
    """Bytes to text. `fatal`: raise TypeError for bytes that are none."""

    def __init__(self, label: Any = "utf-8", given: Any = None, **keywords: Any) -> None:
        chosen = options(given, keywords)
        try:
            self.encoding = codecs.lookup(js_text(label).strip()).name
        except LookupError:
            raise JsException(f'"{label}" is not a valid encoding.', "RangeError") from None
        self.fatal = bool(chosen.get("fatal", False))
        self.ignoreBOM = bool(chosen.get("ignoreBOM", False))
        self._rest: codecs.IncrementalDecoder | None = None

    def decode(self, data: Any = None, given: Any = None, **keywords: Any) -> str:
        """Return the text; with `stream` more may follow."""
        if self._rest is None:
            errors = "strict" if self.fatal else "replace"
            self._rest = codecs.getincrementaldecoder(self.encoding)(errors)
        more = bool(options(given, keywords).get("stream", False))
        try:
            text = self._rest.decode(b"" if data is None else bytes_of(data) or b"", not more)
        except UnicodeDecodeError:
            self._rest = None
            raise JsException("Failed to decode input.", "TypeError") from None
        if not more:
            self._rest = None
        return text if self.ignoreBOM else text.removeprefix("\ufeff")


def btoa(text: Any) -> str:
    """Return base64 of a text of characters up to 255."""
    try:
        return base64.b64encode(js_text(text).encode("latin-1")).decode()
    except UnicodeEncodeError:
        message = "btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range."
        raise JsException(message, "InvalidCharacterError") from None


def atob(text: Any) -> str:
    """Return the text that base64 stands for."""
    plain = re.sub(r"[\t\n\f\r ]", "", js_text(text))
    if len(plain) % 4 == 0:
        plain = re.sub(r"={1,2}$", "", plain)
    if len(plain) % 4 == 1 or not re.fullmatch(r"[A-Za-z0-9+/]*", plain):
        message = "atob() called with invalid base64-encoded data."
        raise JsException(message, "InvalidCharacterError")
    return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("latin-1")


class JSON(JsObject):
    """`JSON.stringify` and `JSON.parse`."""

    @staticmethod
    def stringify(value: Any, replacer: Any = None, indent: Any = None) -> str | None:
        """Return JSON as JavaScript writes it; nothing for what JSON has not."""
        data = _data(value)
        if data is UNDEFINED:
            return None
        compact = indent is None or isinstance(indent, JsNull) or not indent
        separators = (",", ":") if compact else (",", ": ")
        spaces = None if compact else min(indent, 10) if isinstance(indent, int) else str(indent)
        return json.dumps(data, ensure_ascii=False, separators=separators, indent=spaces)

    @staticmethod
    def parse(text: Any, reviver: Any = None) -> Any:
        """Return the value that a text describes. Raises JsException "SyntaxError"."""
        try:
            value = json.loads(js_text(text), parse_constant=_no_number)
        except ValueError as error:
            raise JsException(f"{error} in JSON", "SyntaxError") from None
        return proxied(value, "the parsed object")


def _no_number(text: str) -> Any:
    raise ValueError(f"Unexpected token {text}")


def _data(value: Any) -> Any:
    """Return what `json` writes as JavaScript writes `value`."""
    if isinstance(value, DataProxy):
        value = value._js_target
    if value is None or value is UNDEFINED:
        return UNDEFINED if value is UNDEFINED else None
    match value:
        case bool() | str():
            return value
        case int() | float():
            if isinstance(value, float) and not math.isfinite(value):
                return None
            return int(value) if isinstance(value, float) and value.is_integer() else value
        case JsNull():
            return None
        case dict():
            members = {js_text(key): _data(item) for key, item in value.items()}
            return {key: item for key, item in members.items() if item is not UNDEFINED}
        case list() | tuple():
            return [None if (found := _data(item)) is UNDEFINED else found for item in value]
        case JsProxy():
            if hasattr(value, "toJSON"):
                return _data(value.toJSON())
            if isinstance(value, LiteralMap):
                return _data(value._items)
            if isinstance(value, TypedArray):
                return {str(n): item for n, item in enumerate(value)}
            return {}
    return UNDEFINED if callable(value) else {}
