"""The answer to a request that is refused before any route sees it, for ASGI and as bytes.

When the protocol refuses, the connection is closed: the bytes that follow may be a part of an
attack. When the ASGI app refuses, it stays open: the request was well-formed, and to close before
its body was read would reset the connection before the client has read the reason.
"""

from __future__ import annotations

from http import HTTPStatus

from msgspec import Struct
from starlette.types import Send

from emulator.server.headers import own_answer


class Refusal(Struct, frozen=True):
    """`reason`: one or two sentences for the client: what is wrong, and how to fix it."""

    status: int
    reason: str

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the response headers for ASGI."""
        return own_answer(
            [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(self.body())).encode("ascii")),
            ]
        )

    def body(self) -> bytes:
        """Return the reason as bytes; anything that it quotes from the request can be encoded."""
        return f"{self.reason}\n".encode("utf-8", "backslashreplace")

    def wire(self) -> bytes:
        """Return the whole response, for a protocol that has no ASGI scope yet."""
        phrase = HTTPStatus(self.status).phrase
        lines = [f"HTTP/1.1 {self.status} {phrase}".encode("ascii")]
        lines += [name + b": " + value for name, value in self.headers()]
        lines.append(b"connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body()

    async def send(self, send: Send) -> None:
        """Answer an ASGI request with this refusal."""
        await send(
            {"type": "http.response.start", "status": self.status, "headers": self.headers()}
        )
        await send({"type": "http.response.body", "body": self.body()})
