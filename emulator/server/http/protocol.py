"""uvicorn's HTTP/1.1 protocol, but stricter, and with access to the connection for ingress.

Owns what ASGI hides: the head of a request as it was received (form of the target, sizes, framing,
trailers) and how a connection ends. `head.py` has the rules. The module depends on uvicorn's
callbacks and on `cycle`, `pipeline`, `flow`; `tests/server/test_http_protocol.py` fails when a new
uvicorn changes them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from enum import Enum, auto
from typing import cast

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from emulator.server.http import head
from emulator.server.http.connection import CONNECTION, TARGET
from emulator.server.refusal import Refusal

# How long a client may go on sending after its request was refused; then the connection closes.
LINGER_S = 1.0


class Connections(ServerState):
    """uvicorn's shared state, and `empty`, which is set while no client is connected."""

    def __init__(self) -> None:
        super().__init__()
        self.empty = asyncio.Event()
        self.empty.set()

    def note_end(self) -> None:
        """A connection was removed."""
        if not self.connections:
            self.empty.set()


class _Refused(Exception):
    """Stops the parser; the answer is in the protocol's `_refusal`."""


class _Phase(Enum):
    BETWEEN = auto()
    HEAD = auto()
    BODY = auto()


class HttpProtocol(HttpToolsProtocol):
    """One client's connection. Satisfies `connection.Connection`."""

    head_limit_s = head.LIMIT_S
    _head_timer: asyncio.TimerHandle | None = None  # only while a head is not complete
    _phase = _Phase.BETWEEN
    _headers_bytes = 0
    _unfinished_head_bytes = 0
    _refusal: Refusal | None = None
    _lingering = False
    _on_lost: Callable[[], None] | None = None
    _fed = b""  # what the parser reads now
    # Requests whose answers were not complete when the next request was read. uvicorn itself
    # remembers only the newest.
    _overtaken: tuple[RequestResponseCycle, ...] = ()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        cast(Connections, self.server_state).empty.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._disconnect_cycles()
        super().connection_lost(exc)
        cast(Connections, self.server_state).note_end()
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()

    def watch(self, on_lost: Callable[[], None] | None) -> None:
        self._on_lost = on_lost

    def cut(self) -> None:
        self._disconnect_cycles()
        self.transport.close()

    def abort(self) -> None:
        """Close at once; bytes that the client has not taken are lost."""
        self._disconnect_cycles()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._lingering or self.transport.is_closing():
            return
        headers_before = self.headers if self._phase is _Phase.HEAD else None
        self._feed(data)
        if self._phase is _Phase.HEAD and self.headers is headers_before:
            # One header may arrive for ever without a call of its callback.
            self._unfinished_head_bytes += len(data)
            if self._unfinished_head_bytes > (head.HEADERS_MAX_BYTES + head.TARGET_MAX_BYTES):
                self._refusal = head.HEADERS_TOO_LARGE
                self.send_400_response("")
        if self._phase is not _Phase.HEAD or self._lingering:
            self._stop_head_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_limit_s, self._head_too_slow)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stop_head_timer()  # of the request before, if both arrived together
        self._phase = _Phase.HEAD
        self._headers_bytes = 0
        self._unfinished_head_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > head.TARGET_MAX_BYTES:
            self._refuse(head.URL_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers_bytes += len(name) + len(value)
        if (
            self._headers_bytes > head.HEADERS_MAX_BYTES
            or len(self.headers) >= head.HEADERS_MAX_COUNT
        ):
            self._refuse(head.HEADERS_TOO_LARGE)
        # Trailers arrive here too. If they became headers, they would avoid the checks.
        if self._phase is _Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._phase = _Phase.BODY
        version, method = self.parser.get_http_version(), self.parser.get_method()
        asks_upgrade = bool(self.parser.should_upgrade())
        web_socket = asks_upgrade and self._should_upgrade()
        problem = head.head_problem(version, method, self.url, self.headers)
        if problem is None and web_socket:
            problem = head.web_socket_problem(version, method, self.headers)
        if problem is None and len(self.pipeline) >= head.PIPELINE_MAX_REQUESTS:
            problem = head.PIPELINE_TOO_DEEP
        if problem is not None:
            self._phase = _Phase.HEAD
            self._refuse(problem)
        self.scope[CONNECTION] = self  # type: ignore[literal-required]
        self.scope[TARGET] = self.url  # type: ignore[literal-required]
        before = self.cycle
        if asks_upgrade and not web_socket:
            return  # the request is read again in `_unsupported_upgrade_warning`
        if web_socket and before is not None and not before.response_complete:
            self._phase = _Phase.HEAD
            self._refuse(head.UPGRADE_IN_PIPELINE)
        super().on_headers_complete()
        if web_socket:
            return  # `web_socket_protocol.py` takes the connection over
        if before is not None and not before.response_complete:
            unanswered = (cycle for cycle in self._overtaken if not cycle.response_complete)
            self._overtaken = (*unanswered, before)
            # uvicorn stops reading here, but then nobody would notice that the client went away.
            # PIPELINE_MAX_REQUESTS limits what a client can send ahead instead.
            self.flow.resume_reading()

    def on_message_complete(self) -> None:
        self._phase = _Phase.BETWEEN
        if self.parser.should_upgrade() and not self._should_upgrade():
            return
        super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Read a request again, without its request for an upgrade that we do not support.

        After the head of such a request the parser stops, and would lose the body. So a new parser
        reads the same head without the `Upgrade` header, and then the rest. uvicorn's own method
        only warns; it is called inside `except`.
        Source: RFC 9110 section 7.8 (a server may ignore an Upgrade that it receives).
        """
        stopped = sys.exception()
        assert isinstance(stopped, HttpParserUpgrade)
        rest = self._fed[stopped.args[0] :]
        target = b"%s %s HTTP/%s" % (
            self.parser.get_method(),
            self.url,
            self.parser.get_http_version().encode("ascii"),
        )
        kept = [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = HttpRequestParser(self)
        self._feed(b"\r\n".join([target, *kept, b"", b""]) + rest)

    def _feed(self, data: bytes) -> None:
        self._fed = data
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not a request, and close. uvicorn calls it inside `except`.

        During an earlier response, the answer would look like a part of that response. So then the
        connection is cut instead.
        """
        refusal = self._refusal or Refusal(400, f"Not a well-formed HTTP/1.1 request.{_detail()}")
        if self._may_answer():
            self.transport.write(refusal.wire())
            self._linger()
        else:
            self.cut()

    def _refuse(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise _Refused

    def _head_too_slow(self) -> None:
        self._refusal = head.TOO_SLOW
        self.send_400_response("")

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _linger(self) -> None:
        """End our side, but read what still comes: to close with unread bytes resets the
        connection, and the client may lose the answer."""
        self._disconnect_cycles()
        self._lingering = True
        self.flow.resume_reading()
        self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)

    def _may_answer(self) -> bool:
        if any(not cycle.response_complete for cycle in self._overtaken):
            return False
        if self.cycle is None or self.cycle.response_complete:
            return True
        return self._phase is _Phase.BODY and not self.cycle.response_started

    def _disconnect_cycles(self) -> None:
        for cycle in (*self._overtaken, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.waiting_for_100_continue = False  # nothing is sent after the last answer
                cycle.message_event.set()
        self.pipeline.clear()


def _detail() -> str:
    error = sys.exception()
    return f" {error}." if error is not None and str(error) else ""
