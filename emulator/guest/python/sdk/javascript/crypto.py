"""`crypto`: random values, digests and HMAC. Source: https://w3c.github.io/webcrypto/."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from typing import Any

from ... import scope
from ..jserror import JsException
from ..jsobject import JsObject, array_of
from ..jsproxy import JsProxy, plain
from ..jstext import js_text
from .buffers import ArrayBuffer, TypedArray, bytes_of
from .promises import promised

_HASHES = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_MOST_RANDOM_BYTES = 65_536


class CryptoKey(JsObject):
    """A key."""

    def __init__(self, secret: bytes, hash: str, usages: list[str], extractable: bool) -> None:
        self._secret = secret
        self._hash = hash
        self.type = "secret"
        self.usages = usages
        self.extractable = extractable


class SubtleCrypto(JsObject):
    """Digests, and HMAC."""

    @promised
    async def digest(self, algorithm: Any, data: Any) -> ArrayBuffer:
        """Return the digest of bytes."""
        return ArrayBuffer(hashlib.new(_hash(algorithm), _bytes(data)).digest())

    @promised
    async def importKey(  # JavaScript's name
        self, format: str, data: Any, algorithm: Any, extractable: bool, usages: Any
    ) -> CryptoKey:
        """Return a key of HMAC, from its bytes."""
        if _name(algorithm) != "HMAC" or format != "raw":
            raise _absent(f"importKey of {format} {_name(algorithm)}")
        hash = _hash(_members(algorithm).get("hash"))
        return CryptoKey(_bytes(data), hash, list(map(js_text, array_of(usages))), extractable)

    @promised
    async def generateKey(self, algorithm: Any, extractable: bool, usages: Any) -> CryptoKey:
        """Return a new key of HMAC."""
        if _name(algorithm) != "HMAC":
            raise _absent(f"generateKey of {_name(algorithm)}")
        hash = _hash(_members(algorithm).get("hash"))
        secret = secrets.token_bytes(hashlib.new(hash).block_size)
        return CryptoKey(secret, hash, list(map(js_text, array_of(usages))), extractable)

    @promised
    async def exportKey(self, format: str, key: CryptoKey) -> ArrayBuffer:  # JavaScript's name
        """Return the bytes of a key."""
        if not key.extractable:
            raise JsException("Attempt to export non-extractable key.", "InvalidAccessError")
        return ArrayBuffer(key._secret)

    @promised
    async def sign(self, algorithm: Any, key: CryptoKey, data: Any) -> ArrayBuffer:
        """Return the signature of bytes."""
        return ArrayBuffer(_signature(key, "sign", data))

    @promised
    async def verify(self, algorithm: Any, key: CryptoKey, signature: Any, data: Any) -> bool:
        """Return whether a signature is right."""
        return hmac.compare_digest(_signature(key, "verify", data), _bytes(signature))

    def timingSafeEqual(self, one: Any, other: Any) -> bool:  # JavaScript's name
        """Return whether bytes of the same length are equal."""
        first, second = _bytes(one), _bytes(other)
        if len(first) != len(second):
            raise JsException("Input buffers must have the same byte length.", "TypeError")
        return hmac.compare_digest(first, second)


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


def _signature(key: CryptoKey, use: str, data: Any) -> bytes:
    if use not in key.usages:
        text = f'Requested key usage "{use}" does not match any usage listed in this key.'
        raise JsException(text, "InvalidAccessError")
    return hmac.digest(key._secret, _bytes(data), key._hash)


def _members(algorithm: Any) -> dict[str, Any]:
    data = plain(algorithm) if isinstance(algorithm, JsProxy) else algorithm
    return data if isinstance(data, dict) else {"name": data}


def _name(algorithm: Any) -> str:
    return js_text(_members(algorithm).get("name")).upper()


def _hash(algorithm: Any) -> str:
    found = _HASHES.get(_name(algorithm))
    if found is None:
        raise _absent(f"the digest {_name(algorithm)}")
    return found


def _absent(what: str) -> JsException:
    text = f"Groundfog does not emulate {what} of crypto.subtle yet; see docs/python.md."
    return JsException(text, "NotSupportedError")


def _bytes(data: Any) -> bytes:
    found = bytes_of(data)
    if found is None:
        raise JsException("Bytes are needed: a buffer or a typed array.", "TypeError")
    return found


crypto = Crypto()
