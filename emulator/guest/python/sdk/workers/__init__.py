"""The `workers` package, as user code imports it.

Source: docs/platform/python-workers.md, "The workers package".
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from ... import scope as _scope
from ...streams import ReadableStream
from .blob import Blob, File
from .entrypoints import DurableObject, WorkerEntrypoint, WorkflowEntrypoint, handler
from .formdata import FormData
from .outbound import fetch
from .request import Request
from .response import FetchResponse, Response
from .rpc import python_from_rpc, python_to_rpc

__all__ = [
    "Blob",
    "DurableObject",
    "FetchResponse",
    "File",
    "FormData",
    "ReadableStream",
    "Request",
    "Response",
    "WorkerEntrypoint",
    "WorkflowEntrypoint",
    "env",
    "fetch",
    "handler",
    "python_from_rpc",
    "python_to_rpc",
    "waitUntil",
    "wait_until",
]

_env: Any = None  # set when a worker is loaded, before user code is imported


def wait_until(awaitable: Awaitable[Any]) -> None:
    """Keep the current request alive until `awaitable` has settled."""
    _scope.current().wait_until(awaitable)


waitUntil = wait_until  # JavaScript's name


def __getattr__(name: str) -> Any:
    if name == "env":
        return _env
    raise AttributeError(f"module 'workers' has no attribute {name!r}")
