"""The workflows of the transcripts for the scripted guest; `fixtures/conformance` has the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tests.engine.scripted import Context, Step, StepError, Stream, Undo, Workflow

Event = dict[str, Any]


def giving(value: Any) -> Callable[[Context], Any]:
    """Return a callback that returns this."""
    return lambda ctx: value


async def charge(event: Event, step: Step) -> Any:
    paid = await step.do("charge", lambda ctx: {"amount": event["payload"]["amount"]})
    return {"paid": paid["amount"]}


async def flaky(event: Event, step: Step) -> Any:
    def call(ctx: Context) -> str:
        if ctx.attempt == 1:
            raise StepError("Error", "no answer")
        return "answer"

    retries = {"limit": 2, "delay": 1000, "backoff": "constant"}
    return await step.do("call", call, {"retries": retries})


async def failing(event: Event, step: Step) -> Any:
    def call(ctx: Context) -> None:
        raise StepError("Error", "no answer")

    return await step.do("call", call, {"retries": {"limit": 0, "delay": 0}})


async def patient(event: Event, step: Step) -> Any:
    def call(ctx: Context) -> str:
        if ctx.attempt == 1:
            raise StepError("Error", "no answer")
        return "answer"

    return await step.do("call", call, {"retries": {"limit": 1}}, delay=lambda number, error: 2000)


async def nap(event: Event, step: Step) -> Any:
    first = await step.do("first", lambda ctx: 1)
    await step.sleep("nap", "1 hour")
    return [first, await step.do("second", lambda ctx: 2)]


async def approval(event: Event, step: Step) -> Any:
    told = await step.wait_for_event("approval", "approved", "1 day")
    return told["payload"]


async def both(event: Event, step: Step) -> Any:
    one = step.do("one", lambda ctx: 1)
    two = step.do("two", lambda ctx: 2)
    return list(await asyncio.gather(one, two))


async def nested(event: Event, step: Step) -> Any:
    async def outer(ctx: Context) -> Any:
        inner = [await ctx.step.do("inner", giving(n)) for n in (1, 2)]
        return sum(inner)

    return await step.do("outer", outer)


async def trip(event: Event, step: Step) -> Any:
    def undo(undo: Undo) -> None:
        assert undo.output == "room 7"

    await step.do("hotel", lambda ctx: "room 7", rollback=undo)
    raise StepError("Error", "no flight")


async def export(event: Event, step: Step) -> Any:
    stream = await step.do("export", lambda ctx: Stream([b"some bytes"]))
    return len(await stream.read())


async def function(event: Event, step: Step) -> Any:
    return await step.do("function", lambda ctx: len)


async def endless(event: Event, step: Step) -> Any:
    return await step.do("endless", lambda ctx: asyncio.Event().wait())


WORKFLOWS: Mapping[str, Workflow] = {
    "Charge": charge,
    "Flaky": flaky,
    "Failing": failing,
    "Patient": patient,
    "Nap": nap,
    "Approval": approval,
    "Both": both,
    "Nested": nested,
    "Trip": trip,
    "Export": export,
    "Function": function,
    "Endless": endless,
}
