"""`pyodide.http`: `pyfetch` and its errors.

Source: https://pyodide.org/en/0.28.2/usage/api/python-api/http.html.
"""

from __future__ import annotations

from typing import Any

from ..jserror import JsException
from ..workers.errors import BodyUsedError as BodyUsedError
from ..workers.errors import HttpStatusError as HttpStatusError
from ..workers.outbound import fetch as _fetch
from ..workers.response import FetchResponse as FetchResponse

__all__ = ["AbortError", "BodyUsedError", "FetchResponse", "HttpStatusError", "pyfetch"]


class AbortError(OSError):
    """The request was aborted, or the network failed."""

    def __init__(self, reason: JsException | str) -> None:
        super().__init__(str(reason))


async def pyfetch(
    url: Any, /, *, signal: Any = None, fetcher: Any = None, **options: Any
) -> FetchResponse:
    """Send a request and return the response. Raises AbortError when the network fails."""
    if fetcher is not None:
        found = await fetcher(url, options)
        return FetchResponse(found)
    try:
        return await _fetch(url, **options)
    except JsException:
        raise
    except OSError as error:
        raise AbortError(str(error)) from error
