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

DEFAULT_MS = 10_000  # where the code has a function no more; docs "Sleeping and retrying"


async def answer(message: StepDelay, ctx: Any, delay: Any) -> StepDelayed:
    """Return what `delay`, a function or now something else, says about this failed attempt."""
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
    except BaseException as error:  # whatever it raises is what it says
        if limit.expired():
            return StepDelayed(*told, problem=f"did not return within {DELAY_TIMEOUT_S} seconds")
        tracebacks.print_error(error)
        return StepDelayed(*told, problem=f"threw an error: {tracebacks.error_message(error)}")
    try:
        return StepDelayed(*told, payload=conversion.encode(delay))
    except Exception:  # whatever it is, it is no duration
        return StepDelayed(*told, payload=conversion.encode(None))
