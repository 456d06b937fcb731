"""Handlers that are functions of the main module, such as `on_fetch`: the style of old projects.

Source: docs/platform/python-workers.md, "Handlers".
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .calling import relaxed_call
from .sdk.workers.entrypoints import WorkerEntrypoint

_HANDLERS = {"on_fetch": "fetch", "on_scheduled": "scheduled", "on_queue": "queue"}


def entrypoint_of(module: ModuleType) -> type[WorkerEntrypoint] | None:
    """Return a class `Default` that calls the module's handlers; None if it has none."""
    found = {
        method: getattr(module, name)
        for name, method in _HANDLERS.items()
        if callable(getattr(module, name, None))
    }
    if not found:
        return None
    members = {method: _method(function) for method, function in found.items()}
    return type("Default", (WorkerEntrypoint,), {**members, "__module__": module.__name__})


def _method(function: Any) -> Any:
    def call(self: WorkerEntrypoint, event: Any, env: Any = None, ctx: Any = None) -> Any:
        raw = getattr(event, "js_object", event)
        return relaxed_call(function, raw, self.env, self.ctx)

    return call
