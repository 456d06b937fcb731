"""Signatures: ECDSA, Ed25519, RSA. A guest makes those of HMAC itself.

Source: https://w3c.github.io/webcrypto/.
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from bindings.webcrypto.failures import not_supported, operation_error
from bindings.webcrypto.hashes import hash_of
from bindings.webcrypto.keys import Key, loaded


def sign(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    """Return the signature of bytes."""
    name = key["algorithm"]["name"]
    signature: bytes
    private = loaded(key)
    if name == "ECDSA":
        size = (private.curve.key_size + 7) // 8
        parts = decode_dss_signature(private.sign(data, ec.ECDSA(hash_of(algorithm))))
        return b"".join(part.to_bytes(size, "big") for part in parts)
    if name == "Ed25519":
        signature = private.sign(data)
        return signature
    try:
        signature = private.sign(data, _padding(algorithm, key), hash_of(key["algorithm"]))
    except ValueError as error:
        raise operation_error(f"{name} failed to sign: {error}") from None
    return signature


def verify(algorithm: dict[str, Any], key: Key, signature: bytes, data: bytes) -> bool:
    """Return whether a signature is right."""
    name = key["algorithm"]["name"]
    public = loaded(key)
    try:
        if name == "ECDSA":
            half = (public.curve.key_size + 7) // 8
            if len(signature) != 2 * half:
                return False
            parts = (
                int.from_bytes(signature[:half], "big"),
                int.from_bytes(signature[half:], "big"),
            )
            public.verify(encode_dss_signature(*parts), data, ec.ECDSA(hash_of(algorithm)))
        elif name == "Ed25519":
            public.verify(signature, data)
        else:
            public.verify(signature, data, _padding(algorithm, key), hash_of(key["algorithm"]))
    except InvalidSignature:
        return False
    return True


def _padding(algorithm: dict[str, Any], key: Key) -> Any:
    name = key["algorithm"]["name"]
    if name == "RSASSA-PKCS1-v1_5":
        return padding.PKCS1v15()
    if name == "RSA-PSS":
        salt = int(algorithm.get("saltLength", 0))
        return padding.PSS(padding.MGF1(hash_of(key["algorithm"])), salt)
    raise not_supported(f"{name} does not sign")
