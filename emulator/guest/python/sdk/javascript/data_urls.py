"""`fetch("data:…")`. Source: https://fetch.spec.whatwg.org/#data-urls."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from ..jserror import JsException

if TYPE_CHECKING:
    from ..workers.request import Request
    from ..workers.response import Response

_BASE64 = re.compile(r";\s*base64$", re.IGNORECASE)
_DEFAULT_TYPE = "text/plain;charset=US-ASCII"


def response(request: Request) -> Response:
    """Return the response of a `data:` URL. Raises JsException for one that is damaged."""
    from ..workers.response import raw_response

    kind, comma, data = request.url.removeprefix("data:").partition("#")[0].partition(",")
    content = unquote_to_bytes(data)
    encoded = _BASE64.search(kind)
    try:
        if encoded:
            kind = kind[: encoded.start()]
            content = base64.b64decode(content.translate(None, b" \t\r\n\f") + b"==")
    except binascii.Error:
        comma = ""
    if not comma:
        raise JsException(f"Fetch API cannot load: {request.url}", "TypeError")
    body = content if request._method == "GET" else None
    return raw_response(200, [("content-type", kind.strip() or _DEFAULT_TYPE)], body)
