"""Nothing is told before it is durable: also what a route has only read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from emulator.errors import StateError
from emulator.server.api.envelope import Answer, Handler
from emulator.worker import Worker


def durable(worker: Worker, read: Handler) -> Handler:
    """Return `read` as a handler that answers once what it has read is durable.

    Reads see what is recorded in the same turn of the event loop and not committed yet. What then
    cannot be committed is not told: `read`, which must change nothing, reads again.
    """

    async def answer(request: Request) -> Answer | Response:
        answered = await read(request)
        try:
            await worker.engine.journal.committed()
        except StateError:
            return await read(request)
        return answered

    return answer
