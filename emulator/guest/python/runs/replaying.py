"""A guarded run: it begins no new step, and when it rests it tells the host what it asked for.

PROTOCOL.md, section 8, has the rules; `rest.py` defines rest. User code notices nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable
from typing import Any

from ....protocol.runs import REST_TIMEOUT_S, Replayed
from ..loader import Worker
from ..streams import Send
from .rest import Waits, innermost_frame, is_at_rest, restless_task

_SOON = 3  # looks at once; later ones are further and further apart
_FIRST_DELAY_S = 0.001
_LONGEST_DELAY_S = 0.05
_PATIENCE_S = 0.02  # after all history, the host most often knows enough without waiting for rest


class Replay:
    """The steps that one guarded run has asked for so far."""

    def __init__(
        self,
        run: int,
        worker: Worker,
        waits: Callable[[], Waits],
        send: Send,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._run = run
        self._worker = worker
        self._waits = waits
        self._send = send
        self._loop = loop
        self._asked: list[list[Any]] = []
        self._declared: dict[str, str] = {}  # by name: where
        self._looks = 0
        self._limit = loop.time() + REST_TIMEOUT_S
        self._context = contextvars.Context()  # empty: looking is not part of the run
        self._handle: asyncio.Handle | None = None
        self._over = False
        self._patience_s = 0.0
        self._look_again()

    def declare(self, name: str, line: str) -> None:
        """User code has made a step that it may call."""
        self._declared.setdefault(name, line)

    def ask(self, kind: str, name: str, count: int, line: str, call: int) -> None:
        """User code has called a step; `call` is 0 when history has the answer."""
        self._asked.append([kind, name, count, line, call])

    def through(self) -> None:
        """Everything in history has been asked for."""
        if not self._over:
            self._patience_s = _PATIENCE_S
            self._send(Replayed(self._run, "through", [], []))

    def end(self, error: str) -> None:
        """`run()` is over; `error` is what it raised, `"KeyError: 'id'"`, or empty."""
        self._tell("ended", error)

    def give_up(self, what: str) -> None:
        """The run will do something that cannot be undone, such as `"env.DB.exec()"`."""
        frame: Any = sys._getframe()
        while frame is not None and not self._is_users(frame):
            frame = frame.f_back
        self._tell("restless", f"{what} at {self._shown(frame)}")

    def doubt(self, why: str) -> None:
        """The run cannot begin, which says nothing about the code."""
        self._tell("restless", why)

    def stop(self) -> None:
        """Send nothing more: the host does not need it."""
        self._over = True
        if self._handle is not None:
            self._handle.cancel()

    def _look_again(self) -> None:
        self._looks += 1
        if self._looks <= _SOON:
            self._handle = self._loop.call_soon(self._look, context=self._context)
            return
        delay_s = min(_FIRST_DELAY_S * 2.0 ** min(self._looks - _SOON, 10), _LONGEST_DELAY_S)
        self._handle = self._loop.call_later(delay_s, self._look, context=self._context)

    def _look(self) -> None:
        waits = self._waits()
        rests = is_at_rest(waits, self._loop)
        if rests and self._patience_s:
            delay_s, self._patience_s = self._patience_s, 0.0
            self._handle = self._loop.call_later(delay_s, self._look, context=self._context)
        elif rests:
            self._tell("rested")
        elif self._loop.time() < self._limit:
            self._look_again()
        else:
            root = str(self._worker.module_root)
            task = restless_task(waits, self._loop)
            frame = innermost_frame(task, root) if task is not None else None
            self._tell("restless", f"waiting at {self._shown(frame)}")

    def _tell(self, state: str, where: str = "") -> None:
        if self._over:
            return
        self.stop()
        called = {name for kind, name, *_ in self._asked if kind == "do"}
        declared = [[name, line] for name, line in self._declared.items() if name not in called]
        self._send(Replayed(self._run, state, self._asked, declared, where))

    def _is_users(self, frame: Any) -> bool:
        return frame.f_code.co_filename.startswith(str(self._worker.module_root))  # type: ignore[no-any-return]

    def _shown(self, frame: Any) -> str:
        if frame is None:
            return "an unknown place"
        return f"{self._worker.shown(frame.f_code.co_filename)}:{frame.f_lineno}"
