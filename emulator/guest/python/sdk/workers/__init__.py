"""The `workers` package, as user code imports it.

Source: docs/platform/python-workers.md, "The workers package".
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from ... import scope as _scope
from ...streams import ReadableStream
from .blob import Blob, BlobEnding, BlobValue, File
from .entrypoints import DurableObject, WorkerEntrypoint, WorkflowEntrypoint, handler
from .formdata import FormData, FormDataValue
from .outbound import fetch
from .request import Request
from .response import FetchResponse, Response
from .rpc import python_from_rpc, python_to_rpc
from .types import Body, Context, FetchKwargs, Headers, JSBody, RequestInitCfProperties
from .utils import current_env, import_from_javascript, patch_env

__all__ = [
    "Blob",
    "BlobEnding",
    "BlobValue",
    "Body",
    "Context",
    "DurableObject",
    "FetchKwargs",
    "FetchResponse",
    "File",
    "FormData",
    "FormDataValue",
    "Headers",
    "JSBody",
    "ReadableStream",
    "Request",
    "RequestInitCfProperties",
    "Response",
    "WorkerEntrypoint",
    "WorkflowEntrypoint",
    "env",
    "fetch",
    "handler",
    "import_from_javascript",
    "patch_env",
    "python_from_rpc",
    "python_to_rpc",
    "waitUntil",
    "wait_until",
]


def wait_until(awaitable: Awaitable[Any]) -> None:
    """Keep the current request alive until `awaitable` has settled."""
    _scope.current().wait_until(awaitable)


waitUntil = wait_until  # JavaScript's name


def __getattr__(name: str) -> Any:
    if name == "env":
        return current_env()
    raise AttributeError(f"module 'workers' has no attribute {name!r}")
