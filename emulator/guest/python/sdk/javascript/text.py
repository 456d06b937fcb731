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
from ..jsproxy import DataProxy, JsProxy, plain, proxied
from ..jstext import MOST_SAFE, js_text
from .buffers import ArrayBuffer, TypedArray, Uint8Array, bytes_of
from .collections import LiteralMap
from .functions import JsDoubleProxy


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
        """Return JSON as JavaScript writes it; nothing for what JSON has not.

        Raises JsException "TypeError" for a BigInt.
        """
        if isinstance(indent, int) and not isinstance(indent, bool):
            space = " " * min(max(indent, 0), 10)
        else:
            space = indent[:10] if isinstance(indent, str) else ""
        return _written(UNDEFINED if value is None else value, space, "\n")

    @staticmethod
    def parse(text: Any, reviver: Any = None) -> Any:
        """Return the value that a text describes. Raises JsException "SyntaxError"."""
        try:
            value = json.loads(js_text(text), parse_constant=_no_number, parse_float=_number)
        except ValueError as error:
            raise JsException(f"{error} in JSON", "SyntaxError") from None
        return proxied(value, "the parsed object")


def _no_number(text: str) -> Any:
    raise ValueError(f"Unexpected token {text}")


def _number(text: str) -> Any:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= MOST_SAFE else value


def _written(value: Any, space: str, line: str) -> str | None:
    """Return JSON; `line` begins a line at the depth of the value, if there are any."""
    value = plain(value) if isinstance(value, DataProxy | JsDoubleProxy | LiteralMap) else value
    match value:
        case None | JsNull():
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case int():
            if not -MOST_SAFE < value <= MOST_SAFE:
                raise JsException("Do not know how to serialize a BigInt", "TypeError")
            return str(value)
        case float():
            return js_text(value) if math.isfinite(value) else "null"
        case dict():
            return _object(value, space, line)
        case list() | tuple():
            inner = line + space
            items = [_written(item, space, inner) or "null" for item in value]
            return _joined("[", items, "]", space, line)
        case JsProxy():
            if hasattr(value, "toJSON"):
                return _written(value.toJSON(), space, line)
            numbers = list(value) if isinstance(value, TypedArray) else []
            return _object(dict(enumerate(numbers)), space, line)
    return None if value is UNDEFINED or callable(value) else "{}"


def _object(members: dict[Any, Any], space: str, line: str) -> str:
    written = {js_text(key): _written(item, space, line + space) for key, item in members.items()}
    between = ": " if space else ":"
    pairs = [
        f"{json.dumps(key, ensure_ascii=False)}{between}{text}"
        for key, text in written.items()
        if text is not None
    ]
    return _joined("{", pairs, "}", space, line)


def _joined(start: str, parts: list[str], end: str, space: str, line: str) -> str:
    if not parts or not space:
        return f"{start}{','.join(parts)}{end}"
    inner = line + space
    return f"{start}{inner}{f',{inner}'.join(parts)}{line}{end}"
