"""A request that is refused before any route sees it: status, reason, and its bytes on both levels.

A refusal of the protocol closes the connection: what follows on it may be the other half of a
trick. One of the ASGI app does not: the request was well-formed, and closing before its body was
taken would reset the connection before the client has read why.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import Send

from emulator.server.headers import own_answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """`reason` is one or two sentences for whoever sent the request: what, and how to fix it."""

    status: int
    reason: str

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the response headers, as ASGI wants them."""
        return own_answer(
            [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(self.body())).encode("ascii")),
            ]
        )

    def body(self) -> bytes:
        """Return the reason as text; whatever it quotes from the request can be encoded."""
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
