"""Bits from a key: HKDF, PBKDF2, ECDH, X25519. Source: https://w3c.github.io/webcrypto/."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bindings.webcrypto.failures import access_error, not_supported, operation_error
from bindings.webcrypto.hashes import hash_of
from bindings.webcrypto.keys import Key, loaded

# Source: https://developers.cloudflare.com/workers/runtime-apis/web-crypto/
PBKDF2_MAX_ITERATIONS = 100_000


def derive(algorithm: dict[str, Any], key: Key, bits: int | None) -> bytes:
    """Return `bits` bits; None: all that there are, of ECDH and X25519 only."""
    name = key["algorithm"]["name"]
    if name in ("ECDH", "X25519"):
        return _shared(algorithm, key, bits)
    if bits is None or bits % 8:
        raise operation_error(f"{name} needs a length in bits that is a multiple of 8; got {bits}.")
    size = bits // 8
    if name == "HKDF":
        try:
            work = HKDF(hash_of(algorithm), size, algorithm["salt"], algorithm["info"])
        except ValueError as error:
            raise operation_error(f"HKDF failed: {error}") from None
        return work.derive(key["data"]) if size else b""
    if name == "PBKDF2":
        count = int(algorithm["iterations"])
        if not 0 < count <= PBKDF2_MAX_ITERATIONS:
            raise not_supported(
                f"Pbkdf2 failed: iteration counts above {PBKDF2_MAX_ITERATIONS} are not supported "
                f"(requested {count})."
            )
        chosen = hash_of(algorithm).name
        return hashlib.pbkdf2_hmac(chosen, key["data"], algorithm["salt"], count, size)
    raise not_supported(f"{name} derives no bits")


def _shared(algorithm: dict[str, Any], key: Key, bits: int | None) -> bytes:
    other = algorithm.get("public")
    if not isinstance(other, dict) or other["algorithm"] != key["algorithm"]:
        raise access_error("The public key is not of the same algorithm and curve.")
    private, public = loaded(key), loaded(other)
    is_elliptic = key["algorithm"]["name"] == "ECDH"
    found: bytes = private.exchange(ec.ECDH(), public) if is_elliptic else private.exchange(public)
    if bits is None:
        return found
    if bits > len(found) * 8:
        raise operation_error(f"Derived key length ({bits} bits) is too long.")
    cut = bytearray(found[: -(-bits // 8)])
    if bits % 8 and cut:
        cut[-1] &= 0xFF << (8 - bits % 8) & 0xFF
    return bytes(cut)
