"""The hash that an algorithm names. Source: https://w3c.github.io/webcrypto/."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives import hashes

from bindings.webcrypto.failures import not_supported

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "SHA-1": hashes.SHA1,
    "SHA-256": hashes.SHA256,
    "SHA-384": hashes.SHA384,
    "SHA-512": hashes.SHA512,
}


def hash_of(algorithm: dict[str, Any]) -> Any:
    """Return the hash that `algorithm.hash.name` names."""
    name = (algorithm.get("hash") or {}).get("name", "")
    found = _HASHES.get(name)
    if found is None:
        raise not_supported(f"the hash {name!r} is not supported")
    return found()
