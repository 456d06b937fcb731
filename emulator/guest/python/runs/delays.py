"""Delay functions: how long to wait before a step's next attempt, as user code decides it.

Source: docs/platform/workflows.md, "Delay functions".
"""

from __future__ import annotations

import asyncio
from typing import Any

from ....protocol.runs import DELAY_TIMEOUT_S, StepDelay, StepDelayed
from .. import conversion, tracebacks
from ..calling import relaxed_call, settle
from ..sdk.jsdict import JsDict
from .step_errors import step_error

DEFAULT_MS = 10_000  # where the code no longer has a function


async def answer(message: StepDelay, ctx: Any, delay: Any) -> StepDelayed:
    """Return the delay after this failed attempt. `delay` is a function, or no longer one."""
    told = message.run, message.call, message.attempt
    if not callable(delay):
        delay = DEFAULT_MS if delay is None else delay
        return StepDelayed(*told, payload=conversion.encode(delay))
    limit = asyncio.timeout(DELAY_TIMEOUT_S)
    given = JsDict(ctx=ctx, error=step_error(message.name, message.message))
    try:
        async with limit:
            delay = await settle(relaxed_call(delay, given))
    except GeneratorExit:
        raise  # the run has been dropped
    except BaseException as error:  # any error of the function is its answer
        if limit.expired():
            return StepDelayed(*told, problem=f"did not return within {DELAY_TIMEOUT_S} seconds")
        tracebacks.print_error(error)
        return StepDelayed(*told, problem=f"threw an error: {tracebacks.error_message(error)}")
    try:
        return StepDelayed(*told, payload=conversion.encode(delay))
    except Exception:  # it is not a duration
        return StepDelayed(*told, payload=conversion.encode(None))
