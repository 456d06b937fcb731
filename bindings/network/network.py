"""What `fetch` of a Python worker asks: one request at a time goes out, as it is.

Redirects are followed in the guest (`emulator/guest/python/redirects.py`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from bindings.binding import ByteStream
from emulator.errors import WorkerError

if TYPE_CHECKING:
    import ssl

# Source: https://github.com/cloudflare/workerd/blob/main/src/workerd/io/worker.c%2B%2B
LOST = "Network connection lost."
_ENCODINGS = ("gzip", "x-gzip", "deflate", "identity")
_SCHEMES = ("http", "https")


class Fetched(Struct, frozen=True):
    """A request that was sent. url: without its query, which may hold keys. problem: see `why`."""

    method: str
    url: str
    status: int
    duration_ms: float
    problem: str = ""


class Network:
    """The network for one worker. told: hears of each request once its answer has begun.

    tls: what `https` uses in place of what the system trusts.
    """

    kind = "network"

    def __init__(
        self,
        told: Callable[[Fetched], None] = lambda fetched: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._told = told
        self._tls = tls

    async def call(self, method: str, args: list[Any]) -> dict[str, Any]:
        """Answer `fetch({"method", "url", "headers", "body", "length"})`; length: of a stream.

        Returns `{"status", "status_text", "headers", "body"}`; the body is bytes, a ByteStream or
        None. Raises WorkerError when the network fails.
        """
        from bindings.network import http1  # with the first request

        verb, url, body = args[0]["method"], args[0]["url"], args[0]["body"]
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise WorkerError(f"Fetch API cannot load: {url}", name="TypeError")
        shown = parts._replace(query="", fragment="", netloc=parts.netloc.rpartition("@")[2])
        headers = [_readable(str(name), str(value)) for name, value in args[0]["headers"]]
        began, status, problem = time.perf_counter(), 0, ""
        try:
            answer = await http1.send(verb, url, headers, body, args[0]["length"], self._tls)
            status = answer.status
        except (OSError, EOFError, ValueError) as error:  # TimeoutError is an OSError
            problem = why(error)
            raise WorkerError(LOST) from error
        except BaseException:
            problem = "stopped"
            raise
        finally:
            took_ms = (time.perf_counter() - began) * 1000
            self._told(Fetched(verb, shown.geturl(), status, took_ms, problem))
        content = answer.body
        if content is not None and not isinstance(content, bytes):
            content = ByteStream(_pieces(content), "")  # type: ignore[assignment]
        return {
            "status": answer.status,
            "status_text": answer.reason,
            "headers": [list(pair) for pair in answer.headers],
            "body": content,
        }

    async def close(self) -> None:
        """Nothing is open: requests end with the calls that they belong to."""


class NoNetwork:
    """The network of a worker that may not use it, with workerd's text."""

    kind = "network"

    async def call(self, method: str, args: list[Any]) -> Any:
        """Refuse. Raises WorkerError."""
        raise WorkerError(
            "This worker is not permitted to access the internet via global functions like fetch()."
            " It must use capabilities (such as bindings in 'env') to talk to the outside world."
        )

    async def close(self) -> None:
        """Nothing is open."""


def _readable(name: str, value: str) -> tuple[str, str]:
    """Ask for no encoding that the guest cannot read; production reads `br` too."""
    if name.lower() != "accept-encoding":
        return name, value
    known = [each for each in value.split(",") if each.split(";")[0].strip() in _ENCODINGS]
    return name, ",".join(known).strip() or "identity"


def why(error: BaseException) -> str:
    """Return in words why a request failed."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


async def _pieces(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for piece in body:
            yield piece
    except (OSError, EOFError, ValueError) as error:
        raise WorkerError(LOST) from error
    finally:
        await body.aclose()  # type: ignore[attr-defined]
