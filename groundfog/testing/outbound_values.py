"""Requests that a worker under test sends elsewhere, and answers to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from groundfog.testing.response import Headers


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """One request. `content` is its body, empty without one."""

    method: str
    url: str
    headers: Headers
    content: bytes

    @classmethod
    def of(cls, record: dict[str, Any]) -> OutboundRequest:
        """Return the request that a record of the host describes."""
        pairs = [(name, value) for name, value in record["headers"]]
        return cls(record["method"], record["url"], Headers(pairs), record["body"] or b"")

    @property
    def text(self) -> str:
        """Its body as text."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return its body as JSON."""
        return json.loads(self.content)


def answer_of(given: Any, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Return an answer as the host takes it: of JSON, a text, bytes, or `(status, one of these)`.

    Raises TypeError.
    """
    status, body = given if isinstance(given, tuple) and len(given) == 2 else (200, given)
    kind = ""
    if isinstance(body, dict | list):
        body, kind = json.dumps(body).encode(), "application/json"
    elif isinstance(body, str):
        body, kind = body.encode(), "text/plain;charset=UTF-8"
    if not isinstance(body, bytes) or not isinstance(status, int):
        raise TypeError(f"an answer is JSON, text, bytes or (status, one of these), not {given!r}")
    pairs = [["content-type", kind]] if kind else []
    pairs += [[name, value] for name, value in (headers or {}).items()]
    return {"status": status, "headers": pairs, "body": body}
