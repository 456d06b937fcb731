"""What answers `crypto.subtle` of a guest: it keeps nothing, keys come with each call.

cryptography is imported with the first call. What takes long runs in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from emulator.errors import WorkerError

_AT_ONCE_MAX_BYTES = 256 * 1024


class Webcrypto:
    """Ciphers, signatures and derivation for one worker."""

    kind = "webcrypto"

    async def call(self, method: str, args: list[Any]) -> Any:
        """Do one operation. Raises WorkerError with the names of Web Cryptography."""
        work = _work(method)
        if method in ("generateKey", "deriveBits") or _size(args) > _AT_ONCE_MAX_BYTES:
            return await asyncio.to_thread(work, *args)
        return work(*args)

    async def close(self) -> None:
        """Nothing is open."""


def _work(method: str) -> Callable[..., Any]:
    from bindings.webcrypto import ciphers, derivation, keys, signatures

    work: dict[str, Callable[..., Any]] = {
        "encrypt": ciphers.encrypt,
        "decrypt": ciphers.decrypt,
        "sign": signatures.sign,
        "verify": signatures.verify,
        "generateKey": keys.generate,
        "importKey": keys.imported,
        "exportKey": keys.exported,
        "deriveBits": derivation.derive,
    }
    found = work.get(method)
    if found is None:
        raise WorkerError(f"crypto.subtle has no {method}", name="TypeError")

    def checked(*args: Any) -> Any:
        try:
            return found(*args)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            text = f"crypto.subtle.{method}: the algorithm lacks {error}"
            raise WorkerError(text, name="TypeError") from None

    return checked


def _size(args: list[Any]) -> int:
    return sum(len(each) for each in args if isinstance(each, bytes))
