"""`workers.wsgi`: WSGI applications such as Flask and Django answer requests.

Source: https://github.com/cloudflare/workers-py/blob/main/packages/runtime-sdk/src/workers/wsgi.py
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from ...loop.web_loop import run_sync
from ...streams import ReadableStream
from .entrypoints import WorkerEntrypoint
from .gateway import BaseOptions, respond
from .request import Request, wire_method

Application = Callable[..., Iterable[bytes]]
logger = logging.getLogger("wsgi")
_PORTS = {"https": "443", "http": "80"}
_OWN_NAMES = ("CONTENT_TYPE", "CONTENT_LENGTH")  # headers that are not named HTTP_…


@dataclass(frozen=True, kw_only=True)
class Options(BaseOptions):
    """Options of `fetch` and `entrypoint`."""


DEFAULT_OPTIONS = Options()


class _Input(io.RawIOBase):
    """`wsgi.input`: the body of a request, read while the application reads."""

    def __init__(self, body: ReadableStream) -> None:
        self._body = body
        self._rest = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and not self._ended:
            try:
                self._rest = bytes(run_sync(anext(self._body)))
            except StopAsyncIteration:
                self._ended = True
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def build_environ(req: Request, env: Any, body: bytes | io.IOBase) -> dict[str, Any]:
    """Return the environ of a request. Raises ValueError for a URL that is not absolute."""
    url = urlsplit(req.url)
    if not url.scheme:
        raise ValueError(f"Request URL is not absolute: {req.url!r}")
    environ = {
        "REQUEST_METHOD": wire_method(req),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path or "/").encode().decode("latin-1"),  # PEP 3333
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port or _PORTS.get(url.scheme, "80")),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes | bytearray) else body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "workers.env": env,
    }
    for key, value in req.headers.items():
        name = key.upper().replace("-", "_")
        if name not in _OWN_NAMES:
            name = f"HTTP_{name}"
        environ[name] = f"{environ[name]},{value}" if name in environ else value
    if isinstance(body, bytes | bytearray) and body:
        environ.setdefault("CONTENT_LENGTH", str(len(body)))
    return environ


class _Exchange:
    """One request that an application answers."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.status: str | None = None
        self.headers: list[tuple[str, str]] = []
        self._environ = environ
        self._written: list[bytes] = []
        self._result: Iterable[bytes] = ()
        self._closed = False

    def run(self, app: Application) -> Iterator[bytes]:
        """Call the application until its first bytes are there; return the pieces of its body.

        Raises RuntimeError if it did not call `start_response`.
        """
        self._result = app(self._environ, self._start_response)
        pieces = iter(self._result)
        try:
            first = next(filter(None, pieces), None)
            if self.status is None:
                raise RuntimeError("The WSGI application did not call start_response()")
        except BaseException:
            self.close()
            raise
        return self._body(first, pieces)

    def close(self) -> None:
        """Tell the application, once, that its body has been read, or is not wanted."""
        if self._closed:
            return
        self._closed = True
        close = getattr(self._result, "close", None)
        if close is not None:
            close()
        self._environ["wsgi.input"].close()

    def _body(self, first: bytes | None, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from self._written
            if first is not None:
                yield first
            yield from filter(None, pieces)
        except Exception:
            logger.exception("Exception while streaming WSGI response body")
            raise
        finally:
            self.close()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info is None and self.status is not None:
            raise AssertionError("start_response() called more than once")
        if exc_info is not None and self.status is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        self.status, self.headers = status, headers
        return self._write

    def _write(self, data: bytes) -> None:
        if data:
            self._written.append(data)


def process_request(
    app: Application,
    req: Request,
    env: Any,
    body: bytes | io.IOBase,
    options: Options = DEFAULT_OPTIONS,
) -> Any:
    """Return the response of an application, a `js.Response`; its body is read as it is sent."""
    exchange = _Exchange(build_environ(req, env, body))
    pieces = exchange.run(app)
    assert exchange.status is not None
    code, _, reason = exchange.status.partition(" ")
    response = respond(options, int(code), exchange.headers, ReadableStream(pieces), reason)
    if response.body is None:
        exchange.close()
    return response.js_object


async def fetch(
    app: Application, req: Any, env: Any, ctx: Any = None, *, options: Options | None = None
) -> Any:
    """Return the response of an application to a request."""
    req = req if isinstance(req, Request) else Request(req)
    logger.debug("WSGI request: %s %s", wire_method(req), req.url)
    body = io.BytesIO() if req.body is None else io.BufferedReader(_Input(req.body))
    try:
        return process_request(app, req, env, body, options or DEFAULT_OPTIONS)
    except Exception:
        logger.exception("WSGI request failed")
        raise


def entrypoint(app: Application, *, options: Options | None = None) -> type[WorkerEntrypoint]:
    """Return the class `Default` of a worker that is this application."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Request) -> Any:
            return await fetch(app, request, self.env, options=options)

    return Default
