"""Calling user functions the way the runtime does: sync or async, with as many arguments as fit."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


async def settle(result: Any) -> Any:
    """Return `result`, awaited if possible: handlers may be sync or async."""
    return await result if inspect.isawaitable(result) else result


async def settle_coroutine(result: Any) -> Any:
    """Return `result`, awaited if it is a coroutine, as for workflows and their steps.

    Other awaitables, such as `asyncio.gather(…)`, are values that cannot be sent.
    Source: https://github.com/cloudflare/workers-py/blob/main/packages/runtime-sdk/src/workers/entrypoints.py
    (_do_call, wrapped_run).
    """
    return await result if inspect.iscoroutine(result) else result


def relaxed_call(method: Callable[..., Any], *args: Any) -> Any:
    """Call `method` with as many of `args` as it takes: `fetch(self)` and `fetch(self, request,
    env, ctx)` are both legal. Source: docs/platform/python-workers.md, "Handlers".
    """
    function = getattr(method, "__func__", method)
    count = _positional_count(function)
    if function is not method and count is not None:
        count = max(0, count - 1)  # self
    return method(*args[:count])


@functools.lru_cache(maxsize=256)
def _positional_count(function: Callable[..., Any]) -> int | None:
    """Return how many positional arguments `function` takes; None: any number."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
