"""`crypto`: random values; `subtle.py` has the rest. Source: https://w3c.github.io/webcrypto/."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from ... import scope
from ..jserror import JsException
from ..jsobject import JsObject
from .buffers import TypedArray
from .subtle import CryptoKey, SubtleCrypto

__all__ = ["Crypto", "CryptoKey", "SubtleCrypto", "crypto"]

_MOST_RANDOM_BYTES = 65_536


class Crypto(JsObject):
    """`crypto`."""

    subtle = SubtleCrypto()

    def randomUUID(self) -> str:  # JavaScript's name
        """Return a random UUID."""
        scope.current()
        return str(uuid.uuid4())

    def getRandomValues(self, array: Any) -> Any:  # JavaScript's name
        """Fill a typed array with random bytes; return it."""
        scope.current()
        if not isinstance(array, TypedArray) or array._format in "fd":
            raise JsException("getRandomValues() takes an array of integers.", "TypeMismatchError")
        if array.byteLength > _MOST_RANDOM_BYTES:
            text = f"getRandomValues() only accepts up to {_MOST_RANDOM_BYTES} bytes at a time."
            raise JsException(text, "QuotaExceededError")
        array._view.cast("B")[:] = secrets.token_bytes(array.byteLength)
        return array


crypto = Crypto()
