"""A whole HTTP response: what a binding returns to the server of workerd's client modules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole response; `headers` are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Return `value` as a response of compact JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return HttpAnswer(status, {"content-type": "application/json", **(headers or {})}, body)
