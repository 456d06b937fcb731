"""Encryption: AES in its modes, and RSA-OAEP. Source: https://w3c.github.io/webcrypto/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bindings.webcrypto.failures import not_supported, operation_error
from bindings.webcrypto.hashes import hash_of
from bindings.webcrypto.keys import Key, loaded

_BLOCK = 16
_TAG_BITS = (32, 64, 96, 104, 112, 120, 128)
Work = Callable[[dict[str, Any], Key, bytes], bytes]


def encrypt(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    """Return the bytes encrypted."""
    return _named(_ENCRYPT, algorithm)(algorithm, key, data)


def decrypt(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    """Return the bytes decrypted. Raises OperationError if they are not what was encrypted."""
    try:
        return _named(_DECRYPT, algorithm)(algorithm, key, data)
    except (InvalidTag, ValueError, keywrap.InvalidUnwrap):
        raise operation_error(
            "Decryption failed. This could be due to a wrong key or data."
        ) from None


def _named(work: dict[str, Work], algorithm: dict[str, Any]) -> Work:
    found = work.get(algorithm["name"])
    if found is None:
        raise not_supported(f"{algorithm['name']} does not encrypt")
    return found


def _tag_bytes(algorithm: dict[str, Any]) -> int:
    bits = algorithm.get("tagLength") or 128
    if bits not in _TAG_BITS:
        raise operation_error(f"Invalid AES-GCM tag length {bits}.")
    return int(bits) // 8


def _gcm_encrypt(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    size = _tag_bytes(algorithm)
    sealing = Cipher(algorithms.AES(key["data"]), modes.GCM(algorithm["iv"])).encryptor()
    sealing.authenticate_additional_data(algorithm.get("additionalData") or b"")
    return sealing.update(data) + sealing.finalize() + sealing.tag[:size]


def _gcm_decrypt(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    size = _tag_bytes(algorithm)
    if len(data) < size:
        raise ValueError("it is shorter than its tag")
    mode = modes.GCM(algorithm["iv"], data[-size:], min_tag_length=size)
    opening = Cipher(algorithms.AES(key["data"]), mode).decryptor()
    opening.authenticate_additional_data(algorithm.get("additionalData") or b"")
    return opening.update(data[:-size]) + opening.finalize()


def _cbc(algorithm: dict[str, Any], key: Key) -> Cipher[modes.CBC]:
    if len(algorithm["iv"]) != _BLOCK:
        raise operation_error("AES-CBC IV must be 16 bytes long.")
    return Cipher(algorithms.AES(key["data"]), modes.CBC(algorithm["iv"]))


def _cbc_encrypt(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    padder = padding.PKCS7(_BLOCK * 8).padder()
    sealing = _cbc(algorithm, key).encryptor()
    return sealing.update(padder.update(data) + padder.finalize()) + sealing.finalize()


def _cbc_decrypt(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    opening = _cbc(algorithm, key).decryptor()
    unpadder = padding.PKCS7(_BLOCK * 8).unpadder()
    return unpadder.update(opening.update(data) + opening.finalize()) + unpadder.finalize()


def _ctr(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    """Only the last `length` bits count up; after their last value comes zero."""
    counter, length = algorithm["counter"], int(algorithm.get("length", 0))
    if len(counter) != _BLOCK or not 1 <= length <= 128:
        raise operation_error("AES-CTR needs a counter of 16 bytes, and a length from 1 to 128.")
    start = int.from_bytes(counter, "big")
    fixed, count = start >> length << length, start % (1 << length)
    blocks = -(-len(data) // _BLOCK)
    if blocks > 1 << length:
        raise operation_error("The data is too long for the length of the counter.")
    before = min(((1 << length) - count) * _BLOCK, len(data))
    first = _counted(key, counter, data[:before])
    return first + _counted(key, fixed.to_bytes(_BLOCK, "big"), data[before:])


def _counted(key: Key, counter: bytes, data: bytes) -> bytes:
    work = Cipher(algorithms.AES(key["data"]), modes.CTR(counter)).encryptor()
    return work.update(data) + work.finalize()


def _oaep(algorithm: dict[str, Any], key: Key) -> rsa_padding.OAEP:
    chosen = hash_of(key["algorithm"])
    return rsa_padding.OAEP(rsa_padding.MGF1(chosen), chosen, algorithm.get("label") or None)


def _oaep_encrypt(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    try:
        sealed: bytes = loaded(key).encrypt(data, _oaep(algorithm, key))
    except ValueError as error:
        raise operation_error(f"RSA-OAEP failed to encrypt: {error}") from None
    return sealed


def _oaep_decrypt(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    opened: bytes = loaded(key).decrypt(data, _oaep(algorithm, key))
    return opened


def _wrap(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    try:
        return keywrap.aes_key_wrap(key["data"], data)
    except ValueError as error:
        raise operation_error(f"AES-KW failed to wrap: {error}") from None


def _unwrap(algorithm: dict[str, Any], key: Key, data: bytes) -> bytes:
    return keywrap.aes_key_unwrap(key["data"], data)


_ENCRYPT: dict[str, Work] = {
    "AES-GCM": _gcm_encrypt,
    "AES-CBC": _cbc_encrypt,
    "AES-CTR": _ctr,
    "AES-KW": _wrap,
    "RSA-OAEP": _oaep_encrypt,
}
_DECRYPT: dict[str, Work] = {
    "AES-GCM": _gcm_decrypt,
    "AES-CBC": _cbc_decrypt,
    "AES-CTR": _ctr,
    "AES-KW": _unwrap,
    "RSA-OAEP": _oaep_decrypt,
}
