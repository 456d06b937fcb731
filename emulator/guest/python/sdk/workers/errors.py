"""Errors of responses, which `pyodide.http` names."""

from __future__ import annotations

from ..jserror import JsException


class BodyUsedError(OSError):
    """A body is read a second time."""


class AbortError(OSError):
    """The request was aborted, or the network failed. `reason` is the error of JavaScript's."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason
        super().__init__(reason.message if isinstance(reason, JsException) else str(reason))


class HttpStatusError(OSError):
    """A response says 4xx or 5xx."""

    def __init__(self, status: int, status_text: str, url: str) -> None:
        self.status = status
        self.status_text = status_text
        self.url = url
        kind = "Client" if status < 500 else "Server"
        super().__init__(f"{status} {kind} Error: {status_text} for url: {url}")


for _class in (AbortError, BodyUsedError, HttpStatusError):
    _class.__module__ = "pyodide.http"
