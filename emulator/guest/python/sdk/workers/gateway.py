"""`workers.gateway`: the options that `workers.asgi` and `workers.wsgi` share, and what both do.

Source: https://github.com/cloudflare/workers-py/blob/main/packages/runtime-sdk/src/workers/gateway/options.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ... import deployed
from .response import Response, raw_response

EncodeBody = Literal["automatic", "manual"]
NULL_BODY_STATUSES = frozenset({101, 103, 204, 205, 304})
_ENCODINGS = ("gzip", "br")


@dataclass(frozen=True, kw_only=True)
class BaseOptions:
    """encode_body: whether the platform encodes the body as `content-encoding` says.

    Raises ValueError for another value.
    """

    encode_body: EncodeBody = "automatic"

    def __post_init__(self) -> None:
        if self.encode_body not in get_args(EncodeBody):
            raise ValueError(
                f"encode_body must be one of {get_args(EncodeBody)}, got {self.encode_body!r}"
            )


def respond(
    options: BaseOptions, status: int, headers: list[tuple[str, str]], body: Any, reason: str = ""
) -> Response:
    """Return the response of an application: bytes, a stream or None with its headers."""
    if options.encode_body == "automatic":
        for name, value in headers:
            if name.lower() == "content-encoding" and value in _ENCODINGS:
                deployed.warn(
                    f"the application encodes its response ({value}): deployed, the platform "
                    "encodes it once more. Give options=Options(encode_body='manual').",
                    "a response of the application",
                )
    return raw_response(status, headers, None if status in NULL_BODY_STATUSES else body, reason)
