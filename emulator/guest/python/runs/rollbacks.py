"""The rollback handlers of a run: step calls give them, and the host orders them.

After a change of the guest or the host, the replay of `run()` gives them again. Until then, an
order for a handler waits. Source: docs/platform/workflows.md, "Rollbacks".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ....protocol.runs import RollbackRun, StepEnd
from .. import conversion
from ..sdk.jsdict import JsDict
from ..streams import Send
from .step_errors import step_error

Handler = Callable[..., Any]
# A step as the guest knows it: name and count if `run()` called it, else the number of the call.
_Step = tuple[str, int] | int

PATIENCE_S = 10.0  # how long `run()` may take, in replay, to give a handler again
_LOOK_S = 0.02  # between two looks at whether it still can


class Handlers:
    """The handlers that the host may order; `over`: `run()` has ended and gives no more."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        call: Callable[[RollbackRun, Handler], None],
        send: Send,
        at_rest: Callable[[], bool],
    ) -> None:
        self.over = False
        self._loop = loop
        self._call = call
        self._send = send
        self._at_rest = at_rest  # whether `run()` waits for steps that will never be answered
        self._handlers: dict[_Step, Handler] = {}
        self._order: RollbackRun | None = None  # waits for its handler

    def __bool__(self) -> bool:
        return bool(self._handlers)

    def add(self, step: _Step, handler: Handler) -> None:
        """Add the handler of a step."""
        self._handlers[step] = handler
        order = self._order
        if order is not None and _step_of(order) == step:
            self.execute(order)

    def execute(self, order: RollbackRun) -> None:
        """Execute a handler, now or when `run()` gives it; tell the host if that is impossible."""
        self._order = None
        handler = self._handlers.get(_step_of(order))
        if handler is not None:
            self._call(order, handler)
        elif self.over or order.given:
            self._miss(order)
        else:
            self._order = order
            self._look_again(order, self._loop.time() + PATIENCE_S)

    def complete(self) -> None:
        """`run()` has ended."""
        self.over = True
        if self._order is not None:
            self._give_up(self._order)

    def forget(self) -> None:
        """Drop the reference to the run: it is over."""
        self._handlers.clear()
        self._call = lambda order, handler: None
        self._at_rest = lambda: True

    def _look_again(self, order: RollbackRun, until: float) -> None:
        self._loop.call_later(_LOOK_S, self._look, order, until)

    def _look(self, order: RollbackRun, until: float) -> None:
        if self._order is order:
            if self._at_rest() or self._loop.time() > until:
                self._give_up(order)
            else:
                self._look_again(order, until)

    def _give_up(self, order: RollbackRun) -> None:
        if self._order is order:
            self._order = None
            self._miss(order)

    def _miss(self, order: RollbackRun) -> None:
        """Source: docs/platform/workflows.md, "Rollbacks"."""
        text = "Rollback function not available in registry"
        self._send(StepEnd(order.run, order.call, order.attempt, "RollbackMissing", text))


def _step_of(order: RollbackRun) -> _Step:
    return order.given or (order.name, order.nth or order.count)


def context_of(order: RollbackRun) -> Any:
    """Return what a handler is called with: `{"ctx", "error", "output", "stepName"}`."""
    step = {"name": order.name, "count": order.count}
    ctx = {"step": step, "attempt": order.step_attempt, "config": order.config}
    return JsDict(
        ctx=conversion.copy(ctx),
        error=step_error(order.error_name, order.error_message),
        output=conversion.decode(order.payload) if order.payload else None,
        stepName=f"{order.name}-{order.count}",
    )
