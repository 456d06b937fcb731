"""Faults of bindings, as a test declares them."""

from __future__ import annotations

from typing import Any

from groundfog.testing import mocking
from groundfog.testing.opened import Opened

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class Faults:
    """Lets calls of bindings go wrong in the worker; those of the test itself are not affected.

    binding: its name on `env`. nth: of its calls from here on, from 1; without it, each. method: as
    production's client sends it (for D1 `"query"`), any without it. A fault that never comes fails
    the test.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def fail(
        self,
        binding: str,
        error: BaseException | str = "Network connection lost.",
        *,
        nth: int | None = None,
        method: str = "",
        times: int | None = None,
    ) -> None:
        """Let a call raise, and have no effect. For D1, `error` is what follows `D1_ERROR: `."""
        self._add(binding, "fail", nth, method, times, error)

    def drop(
        self,
        binding: str,
        error: BaseException | str = "Network connection lost.",
        *,
        nth: int | None = None,
        method: str = "",
        times: int | None = None,
    ) -> None:
        """Let a call have its effect, and then lose the answer: it raises. Tests idempotency."""
        self._add(binding, "drop", nth, method, times, error)

    def redeliver(self, binding: str, *, nth: int | None = None, times: int | None = None) -> None:
        """Let messages that are sent to a queue be there twice, as at-least-once allows."""
        self._add(binding, "redeliver", nth, "", times, "")

    def delay(
        self,
        binding: str,
        span: str | int,
        *,
        nth: int | None = None,
        method: str = "",
        times: int | None = None,
    ) -> None:
        """Let a call wait, milliseconds or `"2 seconds"` of real time."""
        self._add(binding, "delay", nth, method, times, "", delay=span)

    def _add(
        self,
        binding: str,
        how: str,
        nth: int | None,
        method: str,
        times: int | None,
        error: BaseException | str,
        **more: Any,
    ) -> None:
        name, message = mocking.error_of(error)
        self._opened.link.ask(
            self._opened.number,
            "fault",
            binding=binding,
            how=how,
            nth=nth or 0,
            method=method,
            name=name,
            message=message.removeprefix("D1_ERROR: "),
            times=times,
            **more,
        )
