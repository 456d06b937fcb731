"""Ids of Durable Objects: 64 hexadecimal digits, made of a name or at random.

The second half proves that the id belongs to a namespace. They are those of workerd, for the same
key of the namespace.
Source: https://github.com/cloudflare/workerd/blob/main/src/workerd/server/actor-id-impl.c++
"""

from __future__ import annotations

import hmac
import os
import re
from hashlib import sha256
from typing import Any

from ..sdk.jserror import JsException
from ..sdk.jsobject import JsObject

_HALF_BYTES = 16
_HEX = re.compile(r"[0-9a-fA-F]{64}")


class DurableObjectId(JsObject):
    """An id. `name`: what `idFromName` was given, else None."""

    def __init__(self, digits: str, name: str | None = None) -> None:
        self._digits = digits
        self.name = name

    def toString(self) -> str:
        """Return the 64 digits."""
        return self._digits

    def equals(self, other: Any) -> bool:
        """Return whether both are of one object."""
        return isinstance(other, DurableObjectId) and other._digits == self._digits

    def __str__(self) -> str:
        return self._digits


class Ids:
    """The ids of one namespace, which has a key of its own: `"my-worker-Counter"`."""

    def __init__(self, unique_key: str) -> None:
        self._key = sha256(unique_key.encode()).digest()

    def of_name(self, name: str) -> DurableObjectId:
        """Return the id that always belongs to this name."""
        return DurableObjectId(self._whole(self._mac(name.encode("utf-8", "replace"))), name)

    def of_string(self, text: Any) -> DurableObjectId:
        """Return the id with these digits. Raises JsException for one of another namespace."""
        digits = str(text)
        if not _HEX.fullmatch(digits):
            text = "Invalid Durable Object ID: must be 64 hex digits"
            raise JsException(text, "TypeError")
        digits = digits.lower()
        if self._whole(bytes.fromhex(digits)[:_HALF_BYTES]) != digits:
            text = "Durable Object ID is not valid for this namespace."
            raise JsException(text, "TypeError")
        return DurableObjectId(digits)

    def new(self) -> DurableObjectId:
        """Return a new id."""
        return DurableObjectId(self._whole(os.urandom(_HALF_BYTES)))

    def _whole(self, first: bytes) -> str:
        return (first + self._mac(first)).hex()

    def _mac(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[:_HALF_BYTES]


DurableObjectId.__module__ = "js"
