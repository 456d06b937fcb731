"""Files in inputs and answers: how to read them, and the hidden text in files made here. Pure.

A picture or sound that the stub makes contains the text it was made from. Players do not show it.
The stubs for vision and speech find it again, so that speech made here can be transcribed here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from bindings.ai.errors import bad_base64, bad_input

MARK_MAX_CHARS = 10_000  # four bytes each at most, in base64: fits a JPEG segment and an Ogg page
_STEP = 256 * 1024  # read at a time, so that no step takes long; divisible by four

_MARK = re.compile(rb"GROUNDFOG=([A-Za-z0-9+/]*=*);")
_DATA_URL = re.compile(r"data:[\w.+/-]*(?:;[\w=.+-]+)*,", re.ASCII)


def mark(text: str) -> bytes:
    """Return `text` as a comment to put into a file; a very long one is cut."""
    return b"GROUNDFOG=" + base64.b64encode(text[:MARK_MAX_CHARS].encode(errors="replace")) + b";"


def marked_text(content: bytes) -> str | None:
    """Return the text that a file made here carries, None for any other file."""
    found = _MARK.search(content)
    if found is None:
        return None
    try:
        return base64.b64decode(found[1], validate=True).decode()
    except ValueError:
        return None


def to_bytes(value: Any, name: str) -> bytes:
    """Return the bytes of an input: a list of numbers, bytes, base64 or a data URL, an upload.

    A typed array that went through JSON is `{"0": 137, "1": 80, …}`. Raises WorkerError.
    """
    match value:
        case bytes():
            return value
        case list():
            return _from_numbers(value, name)
        case str():
            return from_base64(value)
        case Mapping() if "body" in value:
            return to_bytes(value["body"], name)
        case Mapping() if all(key.isdigit() for key in value):
            return _from_numbers([value[key] for key in sorted(value, key=int)], name)
        case _:
            raise bad_base64(type(value).__name__)


def from_base64(text: str) -> bytes:
    """Return what base64 text or a data URL holds. Raises WorkerError 5004."""
    head = _DATA_URL.match(text)
    start = head.end() if head else 0
    padding = text.find("=", start)
    content = bytearray()
    try:
        if 0 <= padding < len(text) - 2:
            raise bad_base64("string")
        for at in range(start, len(text), _STEP):
            content += base64.b64decode(text[at : at + _STEP], validate=True)
    except (binascii.Error, ValueError):
        raise bad_base64("string") from None
    return bytes(content)


def _from_numbers(numbers: list[Any], name: str) -> bytes:
    content = bytearray()
    try:
        for at in range(0, len(numbers), _STEP):
            content += bytes(numbers[at : at + _STEP])
        return bytes(content)
    except (TypeError, ValueError):
        pass
    try:
        return bytes(int(number) % 256 for number in numbers)  # as a Uint8Array takes them
    except (TypeError, ValueError, OverflowError):
        raise bad_input(f"Type mismatch of '/{name}', 'array' of numbers expected") from None
