"""Keys: made, read and written. A key is a dict of plain values, which only the guest keeps.

`{"type": "secret" | "public" | "private", "algorithm": {"name", …}, "data": bytes}`; data is the
raw key of a secret one, else DER (SPKI or PKCS #8).
Source: https://w3c.github.io/webcrypto/; RFC 7517; RFC 7518; RFC 8037.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519

from bindings.webcrypto.failures import access_error, data_error, not_supported, operation_error

Key = dict[str, Any]
CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}
SECRET = frozenset({"AES-GCM", "AES-CBC", "AES-CTR", "AES-KW", "HMAC", "HKDF", "PBKDF2"})
RSA = frozenset({"RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP"})
ELLIPTIC = frozenset({"ECDSA", "ECDH"})
EDWARDS = frozenset({"Ed25519", "X25519"})
_AES_BITS = (128, 192, 256)
_HASH_BLOCKS = {"SHA-1": 64, "SHA-256": 64, "SHA-384": 128, "SHA-512": 128}
_DER, _RAW = serialization.Encoding.DER, serialization.Encoding.Raw
_PLAIN = serialization.NoEncryption()


def generate(algorithm: dict[str, Any]) -> list[Key]:
    """Return a new secret key, or a public and a private one."""
    name = algorithm["name"]
    if name in SECRET and name.startswith("AES"):
        bits = int(algorithm.get("length", 0))
        if bits not in _AES_BITS:
            raise operation_error(f"length of {name} is {bits}; expected 128, 192 or 256")
        return [_secret({"name": name, "length": bits}, secrets.token_bytes(bits // 8))]
    if name == "HMAC":
        hash_name = algorithm["hash"]["name"]
        bits = int(algorithm.get("length") or _HASH_BLOCKS.get(hash_name, 64) * 8)
        shape = {"name": name, "hash": algorithm["hash"], "length": bits}
        return [_secret(shape, secrets.token_bytes(bits // 8))]
    private: Any
    if name in RSA:
        exponent = int.from_bytes(algorithm.get("publicExponent", b"\1\0\1"), "big")
        private = rsa.generate_private_key(exponent, int(algorithm.get("modulusLength", 2048)))
    elif name in ELLIPTIC:
        private = ec.generate_private_key(_curve(algorithm))
    elif name in EDWARDS:
        private = _edwards(name)[0].generate()
    else:
        raise not_supported(f"generateKey of {name} is not supported")
    return [_public(algorithm, private.public_key()), _private(algorithm, private)]


def imported(format: str, data: Any, algorithm: dict[str, Any]) -> Key:
    """Return the key in some format: raw, spki, pkcs8 or jwk (a dict)."""
    name = algorithm["name"]
    try:
        if name in SECRET:
            return _imported_secret(format, data, algorithm)
        if name not in RSA | ELLIPTIC | EDWARDS:
            raise not_supported(f"importKey of {name} is not supported")
        if format == "jwk":
            return _from_jwk(data, algorithm)
        if format == "spki":
            return _public(algorithm, serialization.load_der_public_key(data))
        if format == "pkcs8":
            return _private(algorithm, serialization.load_der_private_key(data, None))
        if format == "raw" and name in ELLIPTIC:
            point = ec.EllipticCurvePublicKey.from_encoded_point(_curve(algorithm), data)
            return _public(algorithm, point)
        if format == "raw" and name in EDWARDS:
            return _public(algorithm, _edwards(name)[1].from_public_bytes(data))
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm) as error:
        raise data_error(f"the key cannot be read as {format} of {name}: {error}") from None
    raise not_supported(f"importKey of {name} from {format} is not supported")


def exported(format: str, key: Key) -> Any:
    """Return a key in some format."""
    name, kind, data = key["algorithm"]["name"], key["type"], key["data"]
    if format == "jwk":
        return _to_jwk(key)
    if format == "raw" and kind == "secret":
        return data
    if format == "raw" and kind == "public" and name in ELLIPTIC | EDWARDS:
        public: Any = loaded(key)
        if name in ELLIPTIC:
            point = serialization.PublicFormat.UncompressedPoint
            return public.public_bytes(serialization.Encoding.X962, point)
        return public.public_bytes(_RAW, serialization.PublicFormat.Raw)
    if (format, kind) in (("spki", "public"), ("pkcs8", "private")):
        return data
    raise access_error(f"a {kind} key of {name} cannot be exported as {format}")


def loaded(key: Key) -> Any:
    """Return a key as an object of cryptography; the bytes of a secret one."""
    if key["type"] == "secret":
        return key["data"]
    if key["type"] == "public":
        return serialization.load_der_public_key(key["data"])
    return serialization.load_der_private_key(key["data"], None)


def _secret(algorithm: dict[str, Any], data: bytes) -> Key:
    return {"type": "secret", "algorithm": algorithm, "data": data}


def _public(algorithm: dict[str, Any], key: Any) -> Key:
    data = key.public_bytes(_DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {"type": "public", "algorithm": _shape(algorithm, key), "data": data}


def _private(algorithm: dict[str, Any], key: Any) -> Key:
    data = key.private_bytes(_DER, serialization.PrivateFormat.PKCS8, _PLAIN)
    shape = _shape(algorithm, key.public_key())
    return {"type": "private", "algorithm": shape, "data": data}


def _shape(algorithm: dict[str, Any], public: Any) -> dict[str, Any]:
    """Return what `key.algorithm` shows. Raises ValueError for a key of another algorithm."""
    name = algorithm["name"]
    if name in RSA and isinstance(public, rsa.RSAPublicKey):
        exponent = public.public_numbers().e
        return {
            "name": name,
            "hash": algorithm["hash"],
            "modulusLength": public.key_size,
            "publicExponent": exponent.to_bytes((exponent.bit_length() + 7) // 8, "big"),
        }
    if name in ELLIPTIC and isinstance(public, ec.EllipticCurvePublicKey):
        curve = next(each for each, cls in CURVES.items() if isinstance(public.curve, cls))
        if curve != algorithm.get("namedCurve"):
            raise ValueError(f"its curve is {curve}")
        return {"name": name, "namedCurve": curve}
    if name in EDWARDS and isinstance(public, _edwards(name)[1]):
        return {"name": name}
    raise ValueError("it is a key of another algorithm")


def _imported_secret(format: str, data: Any, algorithm: dict[str, Any]) -> Key:
    name = algorithm["name"]
    if format == "jwk":
        if data.get("kty") != "oct":
            raise ValueError(f'its "kty" is {data.get("kty")!r}; expected "oct"')
        data = _unbase64(data["k"])
    elif format != "raw":
        raise not_supported(f"importKey of {name} from {format} is not supported")
    bits = len(data) * 8
    if name.startswith("AES") and bits not in _AES_BITS:
        raise ValueError(f"it has {bits} bits; expected 128, 192 or 256")
    shape: dict[str, Any] = {"name": name}
    if name == "HMAC":
        shape["hash"] = algorithm["hash"]
    if name not in ("HKDF", "PBKDF2"):
        shape["length"] = bits
    return _secret(shape, data)


def _from_jwk(jwk: dict[str, Any], algorithm: dict[str, Any]) -> Key:
    kty = jwk.get("kty")
    number = {name: int.from_bytes(_unbase64(jwk[name]), "big") for name in jwk if name in _NUMBERS}
    if kty == "RSA":
        public = rsa.RSAPublicNumbers(number["e"], number["n"])
        if "d" not in jwk:
            return _public(algorithm, public.public_key())
        p, q, d, dp, dq, qi = (number[name] for name in ("p", "q", "d", "dp", "dq", "qi"))
        numbers = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public)
        return _private(algorithm, numbers.private_key())
    if kty == "EC":
        point = ec.EllipticCurvePublicNumbers(number["x"], number["y"], CURVES[jwk["crv"]]())
        if "d" not in jwk:
            return _public(algorithm, point.public_key())
        return _private(algorithm, ec.EllipticCurvePrivateNumbers(number["d"], point).private_key())
    if kty == "OKP":
        private, public_class = _edwards(jwk["crv"])
        if "d" not in jwk:
            return _public(algorithm, public_class.from_public_bytes(_unbase64(jwk["x"])))
        return _private(algorithm, private.from_private_bytes(_unbase64(jwk["d"])))
    raise ValueError(f'its "kty" is {kty!r}')


_NUMBERS = frozenset("n e d p q dp dq qi x y".split())


def _to_jwk(key: Key) -> dict[str, Any]:
    if key["type"] == "secret":
        return {"kty": "oct", "k": _base64(key["data"])}
    found: Any = loaded(key)
    is_private = key["type"] == "private"
    public = found.public_key() if is_private else found
    name = key["algorithm"]["name"]
    if name in RSA:
        numbers = public.public_numbers()
        jwk = {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        if is_private:
            own = found.private_numbers()
            values = (own.d, own.p, own.q, own.dmp1, own.dmq1, own.iqmp)
            jwk |= dict(zip(("d", "p", "q", "dp", "dq", "qi"), map(_number, values), strict=True))
        return jwk
    if name in ELLIPTIC:
        size = (public.curve.key_size + 7) // 8
        point = public.public_numbers()
        jwk = {"kty": "EC", "crv": key["algorithm"]["namedCurve"]}
        jwk |= {"x": _number(point.x, size), "y": _number(point.y, size)}
        if is_private:
            jwk["d"] = _number(found.private_numbers().private_value, size)
        return jwk
    raw = public.public_bytes(_RAW, serialization.PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": name, "x": _base64(raw)}
    if is_private:
        jwk["d"] = _base64(found.private_bytes(_RAW, serialization.PrivateFormat.Raw, _PLAIN))
    return jwk


def _curve(algorithm: dict[str, Any]) -> ec.EllipticCurve:
    found = CURVES.get(algorithm.get("namedCurve", ""))
    if found is None:
        raise not_supported(f"the curve {algorithm.get('namedCurve')!r} is not supported")
    return found()


def _edwards(name: str) -> tuple[Any, Any]:
    if name == "Ed25519":
        return ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey
    return x25519.X25519PrivateKey, x25519.X25519PublicKey


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(value: int, size: int = 0) -> str:
    return _base64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))
