"""Tests of workers: the real worker, with real bindings, in milliseconds, in the user's own tests.

With pytest, the fixtures `worker`, `async_worker` and `groundfog` are there once Groundfog is
installed (`docs/testing.md`). Without pytest:

    from groundfog.testing import Groundfog

    with Groundfog() as groundfog, groundfog.worker("services/api") as api:
        assert api.get("/health").status_code == 200
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groundfog.testing.aio.clock import AsyncClock as AsyncClock
    from groundfog.testing.aio.worker import AsyncWorker as AsyncWorker
    from groundfog.testing.aio.workflow import AsyncInstance as AsyncInstance
    from groundfog.testing.aio.workflow import AsyncWorkflow as AsyncWorkflow
    from groundfog.testing.errors import CrashFound as CrashFound
    from groundfog.testing.errors import GroundfogError as GroundfogError
    from groundfog.testing.errors import HostLost as HostLost
    from groundfog.testing.errors import NotFound as NotFound
    from groundfog.testing.errors import OverBudget as OverBudget
    from groundfog.testing.errors import RefusedError as RefusedError
    from groundfog.testing.errors import ReplayDiffers as ReplayDiffers
    from groundfog.testing.errors import StuckError as StuckError
    from groundfog.testing.errors import UnexpectedRequest as UnexpectedRequest
    from groundfog.testing.errors import UnseenError as UnseenError
    from groundfog.testing.errors import UnusedMock as UnusedMock
    from groundfog.testing.errors import WaitTimeout as WaitTimeout
    from groundfog.testing.errors import WebSocketClosed as WebSocketClosed
    from groundfog.testing.errors import WorkerError as WorkerError
    from groundfog.testing.errors import WorkerLoadError as WorkerLoadError
    from groundfog.testing.errors import WorkflowFailed as WorkflowFailed
    from groundfog.testing.mocking import StepContext as StepContext
    from groundfog.testing.mocking import WaitContext as WaitContext
    from groundfog.testing.options import BadOption as BadOption
    from groundfog.testing.outbound_values import OutboundRequest as OutboundRequest
    from groundfog.testing.replaying import assert_replays as assert_replays
    from groundfog.testing.response import HTTPStatusError as HTTPStatusError
    from groundfog.testing.response import Response as Response
    from groundfog.testing.selecting import TIMEOUT as TIMEOUT
    from groundfog.testing.session import Groundfog as Groundfog
    from groundfog.testing.steps import Difference as Difference
    from groundfog.testing.steps import Step as Step
    from groundfog.testing.sync.clock import Clock as Clock
    from groundfog.testing.sync.worker import Worker as Worker
    from groundfog.testing.sync.workflow import Instance as Instance
    from groundfog.testing.sync.workflow import Workflow as Workflow

    JsException = Any

# Imported when it is used: pytest imports this package in every project that has it installed.
_MODULES = {
    "aio.clock": ("AsyncClock",),
    "aio.worker": ("AsyncWorker",),
    "aio.workflow": ("AsyncInstance", "AsyncWorkflow"),
    "errors": (
        *(
            "CrashFound",
            "GroundfogError",
            "HostLost",
            "NotFound",
            "RefusedError",
            "ReplayDiffers",
            "StuckError",
            "UnseenError",
        ),
        *(
            "OverBudget",
            "UnexpectedRequest",
            "UnusedMock",
            "WaitTimeout",
            "WebSocketClosed",
            "WorkerError",
            "WorkerLoadError",
            "WorkflowFailed",
        ),
    ),
    "mocking": ("StepContext", "WaitContext"),
    "options": ("BadOption",),
    "outbound_values": ("OutboundRequest",),
    "replaying": ("assert_replays",),
    "response": ("HTTPStatusError", "Response"),
    "selecting": ("TIMEOUT",),
    "session": ("Groundfog",),
    "steps": ("Difference", "Step"),
    "sync.clock": ("Clock",),
    "sync.worker": ("Worker",),
    "sync.workflow": ("Instance", "Workflow"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [*sorted(_HOMES), "JsException"]


def __getattr__(name: str) -> Any:
    if name == "JsException":  # what bindings raise, in the worker and in tests
        from groundfog.testing.guest_code import module

        return module("guest.python.sdk.pyodide.ffi").JsException
    if name in _HOMES:
        return getattr(importlib.import_module(f"groundfog.testing.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'groundfog.testing' has no attribute {name!r}")
