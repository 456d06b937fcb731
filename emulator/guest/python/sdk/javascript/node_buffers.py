"""`Buffer`, of Node.js: bytes with the encodings of text. Only with the flag `nodejs_compat`.

Source: https://nodejs.org/api/buffer.html.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from ..jserror import JsException
from ..jstext import js_text
from .buffers import ArrayBuffer, Uint8Array, bytes_of

_TEXT = {
    **dict.fromkeys(("utf8", "utf-8"), "utf-8"),
    **dict.fromkeys(("latin1", "binary", "ascii"), "latin-1"),
    **dict.fromkeys(("utf16le", "utf-16le", "ucs2", "ucs-2"), "utf-16-le"),
}


class Buffer(Uint8Array):
    """Bytes; make them with `Buffer.from_(data, encoding)`."""

    @classmethod
    def from_(cls, data: Any, encoding: str = "utf8", length: Any = None) -> Buffer:
        """Return the bytes of a text, of a buffer, or numbers as bytes."""
        if isinstance(data, str):
            return cls(ArrayBuffer(_encoded(data, encoding)))
        found = bytes_of(data)
        if found is None:
            found = bytes(int(number) & 255 for number in data)
        return cls(ArrayBuffer(found))

    @classmethod
    def alloc(cls, size: int, fill: Any = 0) -> Buffer:
        """Return so many bytes, all alike, or of a text that is repeated."""
        if isinstance(fill, str):
            text = fill.encode() or b"\0"
            return cls(ArrayBuffer((text * size)[:size]))
        return cls(ArrayBuffer(bytes([fill & 255]) * size))

    @classmethod
    def concat(cls, buffers: Iterable[Any]) -> Buffer:
        """Return several, one behind the other."""
        return cls(ArrayBuffer(b"".join(bytes_of(each) or b"" for each in buffers)))

    @staticmethod
    def isBuffer(value: Any) -> bool:  # JavaScript's name
        """Whether a value is a Buffer."""
        return isinstance(value, Buffer)

    def toString(self, encoding: str = "utf8") -> str:  # JavaScript's name
        """Return the text."""
        data, name = self.to_bytes(), encoding.lower()
        if name == "hex":
            return data.hex()
        if name == "base64":
            return base64.b64encode(data).decode()
        if name == "base64url":
            return base64.urlsafe_b64encode(data).decode().rstrip("=")
        return data.decode(_codec(encoding), "replace")

    def equals(self, other: Any) -> bool:
        """Whether another one has the same bytes."""
        return self.to_bytes() == bytes_of(other)


def _encoded(text: str, encoding: str) -> bytes:
    name = encoding.lower()
    if name == "hex":
        pairs = [text[place : place + 2] for place in range(0, len(text) - 1, 2)]
        whole = next((n for n, pair in enumerate(pairs) if not _is_hex(pair)), len(pairs))
        return bytes.fromhex("".join(pairs[:whole]))
    if name in ("base64", "base64url"):
        plain = text.translate(str.maketrans("-_", "+/", " \t\r\n=")).encode("ascii", "ignore")
        try:
            return base64.b64decode(plain + b"=" * (-len(plain) % 4))
        except binascii.Error:
            return base64.b64decode(plain[: len(plain) // 4 * 4])
    codec = _codec(encoding)
    if codec == "latin-1":
        return bytes(ord(each) & 255 for each in text)
    return text.encode(codec, "replace")


def _is_hex(pair: str) -> bool:
    return all(each in "0123456789abcdefABCDEF" for each in pair)


def _codec(encoding: Any) -> str:
    found = _TEXT.get(js_text(encoding).lower())
    if found is None:
        raise JsException(f"Unknown encoding: {encoding}", "TypeError")
    return found
