"""`crypto.subtle`: digests and HMAC here, all else by the host, which keeps no keys.

Source: https://w3c.github.io/webcrypto/.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from .....protocol.loading import CRYPTO
from ... import host_calls
from ..jserror import JsException
from ..jsobject import JsObject, array_of
from ..jsproxy import JsProxy, plain
from ..jstext import js_text
from .buffers import ArrayBuffer, Uint8Array, bytes_of
from .collections import Object
from .promises import promised

_HASHES = {
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
    "MD5": "md5",
}
_NAMES = {
    name.upper(): name
    for name in (
        *("AES-GCM", "AES-CBC", "AES-CTR", "AES-KW", "HMAC", "HKDF", "PBKDF2", "ECDSA", "ECDH"),
        *("Ed25519", "X25519", "RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP"),
    )
} | {"NODE-ED25519": "Ed25519"}  # workerd's old name of it
_OF_PRIVATE = frozenset({"sign", "decrypt", "unwrapKey", "deriveBits", "deriveKey"})
_DERIVED_BITS = {"HMAC": {"SHA-1": 512, "SHA-256": 512, "SHA-384": 1024, "SHA-512": 1024}}


class CryptoKey(JsObject):
    """A key. `_key` is what the host makes of it, with its bytes."""

    def __init__(self, key: dict[str, Any], extractable: bool, usages: list[str]) -> None:
        self._key = key
        self.type = key["type"]
        self.extractable = extractable
        self.usages = usages

    @property
    def algorithm(self) -> Any:
        """What it is a key of."""
        return _shown(self._key["algorithm"])

    def __repr__(self) -> str:
        return f"CryptoKey({self.type}, {self._key['algorithm']['name']})"


class SubtleCrypto(JsObject):
    """Digests, signatures, ciphers, keys."""

    @promised
    async def digest(self, algorithm: Any, data: Any) -> ArrayBuffer:
        """Return the digest of bytes."""
        return ArrayBuffer(hashlib.new(_hash(algorithm), _bytes(data)).digest())

    @promised
    async def generateKey(self, algorithm: Any, extractable: bool, usages: Any) -> Any:
        """Return a new key, or an object with a public and a private one."""
        wanted = _usages(usages)
        made = await _ask("generateKey", _algorithm(algorithm))
        if len(made) == 1:
            return CryptoKey(made[0], extractable, wanted)
        public, private = made
        pair = Object()
        pair.publicKey = CryptoKey(
            public, True, [each for each in wanted if each not in _OF_PRIVATE]
        )
        own = [each for each in wanted if each in _OF_PRIVATE]
        pair.privateKey = CryptoKey(private, extractable, own)
        return pair

    @promised
    async def importKey(  # JavaScript's name
        self, format: str, data: Any, algorithm: Any, extractable: bool, usages: Any
    ) -> CryptoKey:
        """Return a key in the format raw, pkcs8, spki or jwk."""
        return await _imported(format, data, algorithm, extractable, usages)

    @promised
    async def exportKey(self, format: str, key: CryptoKey) -> Any:  # JavaScript's name
        """Return a key in a format: bytes, or an object for jwk."""
        return await _exported(format, key)

    @promised
    async def encrypt(self, algorithm: Any, key: CryptoKey, data: Any) -> ArrayBuffer:
        """Return bytes encrypted."""
        return ArrayBuffer(await _worked("encrypt", algorithm, key, _bytes(data)))

    @promised
    async def decrypt(self, algorithm: Any, key: CryptoKey, data: Any) -> ArrayBuffer:
        """Return bytes decrypted."""
        return ArrayBuffer(await _worked("decrypt", algorithm, key, _bytes(data)))

    @promised
    async def sign(self, algorithm: Any, key: CryptoKey, data: Any) -> ArrayBuffer:
        """Return the signature of bytes."""
        given = _checked("sign", algorithm, key)
        if given["name"] == "HMAC":
            return ArrayBuffer(_mac(key, data))
        return ArrayBuffer(await _ask("sign", given, key._key, _bytes(data)))

    @promised
    async def verify(self, algorithm: Any, key: CryptoKey, signature: Any, data: Any) -> Any:
        """Return whether a signature is right."""
        given = _checked("verify", algorithm, key)
        if given["name"] == "HMAC":
            return hmac.compare_digest(_mac(key, data), _bytes(signature))
        return await _ask("verify", given, key._key, _bytes(signature), _bytes(data))

    @promised
    async def deriveBits(  # JavaScript's name
        self, algorithm: Any, key: CryptoKey, length: Any = None
    ) -> ArrayBuffer:
        """Return bits that follow from a key."""
        given = _checked("deriveBits", algorithm, key)
        return ArrayBuffer(await _ask("deriveBits", given, key._key, length))

    @promised
    async def deriveKey(  # JavaScript's name
        self, algorithm: Any, key: CryptoKey, derived: Any, extractable: bool, usages: Any
    ) -> CryptoKey:
        """Return a key that follows from another one."""
        given = _checked("deriveKey", algorithm, key)
        bits = await _ask("deriveBits", given, key._key, _length(_algorithm(derived)))
        return await _imported("raw", bits, derived, extractable, usages)

    @promised
    async def wrapKey(  # JavaScript's name
        self, format: str, key: CryptoKey, wrapping: CryptoKey, algorithm: Any
    ) -> ArrayBuffer:
        """Return a key in a format, encrypted."""
        data = await _exported(format, key)
        text = json.dumps(plain(data)).encode() if format == "jwk" else _bytes(data)
        return ArrayBuffer(await _worked("encrypt", algorithm, wrapping, text, use="wrapKey"))

    @promised
    async def unwrapKey(  # JavaScript's name
        self,
        format: str,
        data: Any,
        unwrapping: CryptoKey,
        algorithm: Any,
        unwrapped: Any,
        extractable: bool,
        usages: Any,
    ) -> CryptoKey:
        """Return the key that `wrapKey` encrypted."""
        opened = await _worked("decrypt", algorithm, unwrapping, _bytes(data), use="unwrapKey")
        key = json.loads(opened) if format == "jwk" else opened
        return await _imported(format, key, unwrapped, extractable, usages)

    def timingSafeEqual(self, one: Any, other: Any) -> bool:  # JavaScript's name
        """Return whether bytes of the same length are equal."""
        first, second = _bytes(one), _bytes(other)
        if len(first) != len(second):
            raise JsException("Input buffers must have the same byte length.", "TypeError")
        return hmac.compare_digest(first, second)


async def _ask(method: str, *args: Any) -> Any:
    return await host_calls.ask(CRYPTO, method, list(args), failed=_failed)


def _failed(name: str, message: str) -> JsException:
    return JsException(message, name)


async def _worked(
    method: str, algorithm: Any, key: CryptoKey, data: bytes, *, use: str = ""
) -> bytes:
    given = _checked(use or method, algorithm, key)
    found: bytes = await _ask(method, given, key._key, data)
    return found


async def _imported(
    format: str, data: Any, algorithm: Any, extractable: bool, usages: Any
) -> CryptoKey:
    given = _members(data) if format == "jwk" else _bytes(data)
    key = await _ask("importKey", format, given, _algorithm(algorithm))
    return CryptoKey(key, extractable, _usages(usages))


async def _exported(format: str, key: CryptoKey) -> Any:
    if not key.extractable:
        raise JsException("Attempt to export non-extractable key.", "InvalidAccessError")
    found = await _ask("exportKey", format, key._key)
    if format != "jwk":
        return ArrayBuffer(found)
    return _shown({**found, "key_ops": key.usages, "ext": key.extractable})


def _checked(use: str, algorithm: Any, key: CryptoKey) -> dict[str, Any]:
    """Return an algorithm for the host. Raises JsException for a key of another one, or use."""
    given = _algorithm(algorithm)
    if given["name"] != key._key["algorithm"]["name"]:
        text = "Requested algorithm does not match this CryptoKey's algorithm."
        raise JsException(text, "InvalidAccessError")
    if use not in key.usages:
        text = f'Requested key usage "{use}" does not match any usage listed in this key.'
        raise JsException(text, "InvalidAccessError")
    return given


def _algorithm(given: Any) -> dict[str, Any]:
    """Return an algorithm as plain values: bytes for buffers, `{"name"}` for a hash."""
    members = _members(given)
    found: dict[str, Any] = {}
    for name, value in members.items():
        data = bytes_of(value)
        if isinstance(value, CryptoKey):
            found[name] = value._key
        else:
            found[name] = value if data is None else data
    name = js_text(members.get("name"))
    found["name"] = _NAMES.get(name.upper(), name)
    if "hash" in members:
        found["hash"] = {"name": js_text(_members(members["hash"]).get("name")).upper()}
    return found


def _length(derived: dict[str, Any]) -> Any:
    if derived["name"] == "HMAC" and not derived.get("length"):
        return _DERIVED_BITS["HMAC"].get(derived["hash"]["name"])
    return derived.get("length")


def _mac(key: CryptoKey, data: Any) -> bytes:
    return hmac.digest(key._key["data"], _bytes(data), _hash(key._key["algorithm"]["hash"]))


def _members(given: Any) -> dict[str, Any]:
    if isinstance(given, dict):
        return given
    if isinstance(given, str):
        return {"name": given}
    keys = (
        [js_text(name) for name in array_of(given.object_keys())]
        if isinstance(given, JsProxy)
        else []
    )
    return {name: getattr(given, name) for name in keys}


def _usages(usages: Any) -> list[str]:
    return list(map(js_text, array_of(usages)))


def _hash(algorithm: Any) -> str:
    name = js_text(_members(algorithm).get("name")).upper()
    found = _HASHES.get(name)
    if found is None:
        text = f"Groundfog does not know the digest {name} of crypto.subtle; see docs/python.md."
        raise JsException(text, "NotSupportedError")
    return found


def _shown(members: dict[str, Any]) -> Any:
    """Return an object of JavaScript with these members."""
    from .to_js import to_js

    def converted(value: Any) -> Any:
        if isinstance(value, dict):
            return _shown(value)
        return Uint8Array(value) if isinstance(value, bytes) else to_js(value)

    shown = Object()
    for name, value in members.items():
        setattr(shown, name, converted(value))
    return shown


def _bytes(data: Any) -> bytes:
    found = bytes_of(data)
    if found is None:
        raise JsException("Bytes are needed: a buffer or a typed array.", "TypeError")
    return found
