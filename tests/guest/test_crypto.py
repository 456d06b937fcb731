"""`crypto.subtle` in a worker: values of public standards, round trips, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bindings.webcrypto.webcrypto import Webcrypto
from emulator.protocol.loading import CRYPTO
from tests.guest.test_bindings import seen

HEAD = """
from js import Object, Uint8Array, crypto
from pyodide.ffi import JsException, to_js as _to_js
subtle = crypto.subtle
def to_js(value): return _to_js(value, dict_converter=Object.fromEntries)
def raw(text): return to_js(bytes.fromhex(text))
def hexed(buffer): return buffer.to_bytes().hex()
def use(*names): return to_js(list(names))
async def refused(work):
    try:
        await work
    except JsException as error:
        return error.name
out = []
"""


def given(folder: Path, code: str) -> Any:
    return seen(folder, HEAD + code, {CRYPTO: Webcrypto()}, kinds={})


def test_values_of_standards_come_out(tmp_path: Path) -> None:
    """AES-GCM: NIST. AES-CBC, CTR: SP 800-38A. KW: RFC 3394. HKDF: RFC 5869. PBKDF2: RFC 6070."""
    code = """
key = "2b7e151628aed2a6abf7158809cf4f3c"
block = raw("6bc1bee22e409f96e93d7e117393172a")
gcm = await subtle.importKey("raw", raw("00" * 16), "AES-GCM", False, use("encrypt", "decrypt"))
iv = to_js({"name": "AES-GCM", "iv": bytes(12)})
out.append(hexed(await subtle.encrypt(iv, gcm, raw("00" * 16))))
cbc = await subtle.importKey("raw", raw(key), "AES-CBC", False, use("encrypt", "decrypt"))
iv = to_js({"name": "AES-CBC", "iv": bytes(range(16))})
out.append(hexed(await subtle.encrypt(iv, cbc, block))[:32])
ctr = await subtle.importKey("raw", raw(key), "AES-CTR", False, use("encrypt"))
counter = to_js({"name": "AES-CTR", "counter": bytes(range(0xf0, 0x100)), "length": 64})
out.append(hexed(await subtle.encrypt(counter, ctr, block)))
kw = await subtle.importKey("raw", raw("000102030405060708090a0b0c0d0e0f"), "AES-KW", False,
    use("wrapKey", "unwrapKey"))
inner = await subtle.importKey("raw", raw("00112233445566778899aabbccddeeff"), "AES-CBC", True,
    use("encrypt"))
out.append(hexed(await subtle.wrapKey("raw", inner, kw, "AES-KW")))
hkdf = await subtle.importKey("raw", raw("0b" * 22), "HKDF", False, use("deriveBits"))
algorithm = to_js({"name": "HKDF", "hash": "SHA-256", "salt": bytes(range(13)),
    "info": bytes(range(0xf0, 0xfa))})
out.append(hexed(await subtle.deriveBits(algorithm, hkdf, 336)))
pbkdf2 = await subtle.importKey("raw", to_js(b"password"), "PBKDF2", False, use("deriveBits"))
algorithm = to_js({"name": "PBKDF2", "hash": "SHA-1", "salt": b"salt", "iterations": 4096})
out.append(hexed(await subtle.deriveBits(algorithm, pbkdf2, 160)))
"""
    assert given(tmp_path, code) == [
        "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
        "7649abac8119b246cee98e9b12e9197d",
        "874d6191b620e3261bef6864990db6ce",
        "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        "4b007901b765489abead49d926f721d065a429c1",
    ]


def test_signatures_are_verified_and_changed_data_is_not(tmp_path: Path) -> None:
    code = """
for algorithm, signing in (
    ({"name": "ECDSA", "namedCurve": "P-256"}, {"name": "ECDSA", "hash": "SHA-256"}),
    ({"name": "ECDSA", "namedCurve": "P-521"}, {"name": "ECDSA", "hash": {"name": "SHA-512"}}),
    ({"name": "Ed25519"}, "Ed25519"),
    ({"name": "RSA-PSS", "modulusLength": 2048, "publicExponent": b"\\1\\0\\1", "hash": "SHA-256"},
     {"name": "RSA-PSS", "saltLength": 32}),
    ({"name": "RSASSA-PKCS1-v1_5", "modulusLength": 2048, "publicExponent": b"\\1\\0\\1",
      "hash": "SHA-256"}, "RSASSA-PKCS1-v1_5"),
    ({"name": "HMAC", "hash": "SHA-512"}, "HMAC"),
):
    key = await subtle.generateKey(to_js(algorithm), True, use("sign", "verify"))
    private = getattr(key, "privateKey", key)
    public = getattr(key, "publicKey", key)
    signature = await subtle.sign(to_js(signing), private, to_js(b"data"))
    # The public key goes to somebody else as a JSON Web Key.
    jwk = await subtle.exportKey("jwk", public)
    public = await subtle.importKey("jwk", jwk, to_js(algorithm), True, use("verify"))
    out.append([jwk.kty, signature.byteLength,
        await subtle.verify(to_js(signing), public, signature, to_js(b"data")),
        await subtle.verify(to_js(signing), public, signature, to_js(b"other"))])
"""
    assert given(tmp_path, code) == [
        ["EC", 64, True, False],
        ["EC", 132, True, False],
        ["OKP", 64, True, False],
        ["RSA", 256, True, False],
        ["RSA", 256, True, False],
        ["oct", 64, True, False],
    ]


def test_a_shared_secret_becomes_a_key_on_both_sides(tmp_path: Path) -> None:
    code = """
for name, more in (("ECDH", {"namedCurve": "P-384"}), ("X25519", {})):
    algorithm = to_js({"name": name, **more})
    one, other = [await subtle.generateKey(algorithm, True, use("deriveKey")) for _ in "ab"]
    spki = await subtle.exportKey("spki", other.publicKey)
    theirs = await subtle.importKey("spki", spki, algorithm, True, use())
    gcm = to_js({"name": "AES-GCM", "length": 256})
    def shared(public): 
        found = Object.new()
        found.name, found.public = name, public
        return found
    mine = await subtle.deriveKey(shared(theirs), one.privateKey, gcm, True, use("encrypt"))
    yours = await subtle.deriveKey(
        shared(one.publicKey), other.privateKey, gcm, False, use("decrypt"))
    iv = to_js({"name": "AES-GCM", "iv": bytes(12), "additionalData": b"head"})
    sealed = await subtle.encrypt(iv, mine, to_js(b"secret"))
    out.append([(await subtle.decrypt(iv, yours, sealed)).to_bytes().decode(),
        mine.algorithm.length, one.privateKey.type, one.publicKey.usages])
pkcs8 = await subtle.exportKey("pkcs8", one.privateKey)
out.append((await subtle.importKey("pkcs8", pkcs8, algorithm, False, use("deriveBits"))).type)
oaep = await subtle.generateKey(to_js({"name": "RSA-OAEP", "modulusLength": 2048,
    "publicExponent": b"\\1\\0\\1", "hash": "SHA-1"}), False, use("encrypt", "decrypt"))
sealed = await subtle.encrypt("RSA-OAEP", oaep.publicKey, to_js(b"x"))
out.append((await subtle.decrypt("RSA-OAEP", oaep.privateKey, sealed)).to_bytes().decode())
"""
    assert given(tmp_path, code) == [
        ["secret", 256, "private", []],
        ["secret", 256, "private", []],
        *("private", "x"),
    ]


def test_what_is_wrong_is_refused_by_the_names_of_the_standard(tmp_path: Path) -> None:
    code = """
gcm = await subtle.generateKey(to_js({"name": "AES-GCM", "length": 128}), False, use("decrypt"))
iv = to_js({"name": "AES-GCM", "iv": bytes(12)})
pbkdf2 = await subtle.importKey("raw", to_js(b"p"), "PBKDF2", False, use("deriveBits"))
much = to_js({"name": "PBKDF2", "hash": "SHA-256", "salt": b"", "iterations": 100_001})
for work in (
    lambda: subtle.decrypt(iv, gcm, to_js(b"short")),
    lambda: subtle.decrypt(iv, gcm, to_js(bytes(40))),
    lambda: subtle.encrypt(iv, gcm, to_js(b"x")),
    lambda: subtle.decrypt(to_js({"name": "AES-CBC", "iv": bytes(16)}), gcm, to_js(b"x")),
    lambda: subtle.exportKey("raw", gcm),
    lambda: subtle.importKey("raw", to_js(b"12345"), "AES-GCM", True, use("encrypt")),
    lambda: subtle.importKey("spki", to_js(b"12345"), "Ed25519", True, use("verify")),
    lambda: subtle.importKey("raw", to_js(b"1"), "CHACHA", True, use()),
    lambda: subtle.generateKey(to_js({"name": "AES-GCM", "length": 5}), True, use("encrypt")),
    lambda: subtle.decrypt("AES-GCM", gcm, to_js(bytes(40))),
    lambda: subtle.deriveBits(much, pbkdf2, 128),
    lambda: subtle.digest("WHIRLPOOL", to_js(b"")),
    lambda: subtle.encrypt(iv, gcm, "text"),
):
    out.append(await refused(work()))
"""
    assert given(tmp_path, code) == [
        *("OperationError", "OperationError", "InvalidAccessError", "InvalidAccessError"),
        *("InvalidAccessError", "DataError", "DataError", "NotSupportedError", "OperationError"),
        *("TypeError", "NotSupportedError", "NotSupportedError", "TypeError"),
    ]
