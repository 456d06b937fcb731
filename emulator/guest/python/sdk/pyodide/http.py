"""`pyodide.http`: `pyfetch` and its errors.

Source: https://pyodide.org/en/0.28.2/usage/api/python-api/http.html.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..javascript.events import AbortController, AbortSignal
from ..jserror import JsException
from ..workers.errors import AbortError as AbortError
from ..workers.errors import BodyUsedError as BodyUsedError
from ..workers.errors import HttpStatusError as HttpStatusError
from ..workers.outbound import sent
from ..workers.response import FetchResponse as FetchResponse

__all__ = ["AbortError", "BodyUsedError", "FetchResponse", "HttpStatusError", "pyfetch"]


async def pyfetch(
    url: Any, /, *, signal: Any = None, fetcher: Any = None, **options: Any
) -> FetchResponse:
    """Send a request and return the response. Raises AbortError, an OSError, when it fails."""
    controller = AbortController()
    options["signal"] = (
        AbortSignal.any([signal, controller.signal]) if signal else controller.signal
    )
    try:
        if fetcher is None:
            response = await sent(url, options)
        else:
            response = FetchResponse(await fetcher(url, options))
    except asyncio.CancelledError:
        controller.abort()
        raise
    except JsException as error:
        raise AbortError(error) from None
    response.abort_controller = controller
    response.abort_signal = options["signal"]
    return response
