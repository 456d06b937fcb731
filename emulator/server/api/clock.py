"""The routes that show and move the clock of workflows: `/cdn-cgi/groundfog/clock`.

GET shows it. POST moves it, and answers after everything that was due has happened.
"""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.requests import Request
from starlette.routing import Route

from emulator.answers.clock import ClockState
from emulator.durations import InvalidDuration, parse_duration_ms
from emulator.engine.clock_control import Timekeeper
from emulator.engine.model.plain import iso
from emulator.errors import UsageError
from emulator.server.api.bodies import object_body
from emulator.server.api.envelope import INTERNAL, OWN_BASE, Answer, ApiError, endpoint
from emulator.server.api.parameters import bad


class ClockRoutes:
    """Handlers of these routes."""

    def __init__(self, timekeeper: Timekeeper) -> None:
        self._timekeeper = timekeeper

    async def show(self, request: Request) -> Answer:
        """GET: `{"mode": "real" | "virtual", "frozen", "now", "next"}`; `next` may be null."""
        return self._shown()

    async def freeze(self, request: Request) -> Answer:
        """POST …/freeze."""
        return await self._done(self._timekeeper.freeze())

    async def run(self, request: Request) -> Answer:
        """POST …/run."""
        return await self._done(self._timekeeper.run())

    async def advance(self, request: Request) -> Answer:
        """POST …/advance: `{"span": "30 days"}`, or milliseconds."""
        span = (await object_body(request)).get("span")
        try:
            span_ms = parse_duration_ms(span)
        except (InvalidDuration, OverflowError) as error:
            raise bad(f"'span' is {error}") from None
        return await self._done(self._timekeeper.advance(span_ms))

    async def advance_to_next(self, request: Request) -> Answer:
        """POST …/next: to the next deadline or schedule; without one, nothing happens."""
        return await self._done(self._timekeeper.advance_to_next())

    async def _done(self, work: Awaitable[object]) -> Answer:
        before_ms = self._timekeeper.now_ms()
        try:
            await work
        except UsageError as error:
            raise ApiError(409, INTERNAL, str(error)) from error
        return self._shown(before_ms)

    def _shown(self, before_ms: int | None = None) -> Answer:
        keeper = self._timekeeper
        next_ms = keeper.next_ms()
        state: ClockState = {
            "mode": "virtual" if keeper.is_virtual else "real",
            "frozen": keeper.is_frozen,
            "now": iso(keeper.now_ms()),
            "next": None if next_ms is None else iso(next_ms),
        }
        if before_ms is not None:
            state["before"] = iso(before_ms)
        return Answer(state)


def clock_routes(timekeeper: Timekeeper) -> list[Route]:
    """Return these routes, for `create_app`."""
    clock = ClockRoutes(timekeeper)
    changes = {
        "freeze": clock.freeze,
        "run": clock.run,
        "advance": clock.advance,
        "next": clock.advance_to_next,
    }
    return [
        Route(f"{OWN_BASE}/clock", endpoint(clock.show), methods=["GET"]),
        *(
            Route(f"{OWN_BASE}/clock/{name}", endpoint(handler), methods=["POST"])
            for name, handler in changes.items()
        ),
    ]
