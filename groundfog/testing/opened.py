"""A worker that is open in the host: what both of its faces share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from groundfog.testing import mocking, options
from groundfog.testing.errors import GroundfogError, RefusedError
from groundfog.testing.link import Link


@dataclass(slots=True)
class Opened:
    """`about`: what the host has said of it.

    blocking: for the face without an event loop.
    """

    link: Link
    number: int
    about: dict[str, Any]
    timeout_s: float
    blocking: bool = True
    closed: bool = False
    strict: dict[str, bool] = field(default_factory=dict)  # shared by both faces

    def need_python(self, what: str) -> None:
        """Raise RefusedError if the worker is not in Python."""
        if not self.about["python"]:
            raise RefusedError(f"{what} is for Python workers only in this version of Groundfog.")

    def timeout_ms(self, seconds: float | None) -> int:
        """Return how long to wait, in milliseconds of real time."""
        return round((self.timeout_s if seconds is None else seconds) * 1000)

    def other_face(self) -> Opened:
        """Return the same worker for the other face."""
        return replace(self, blocking=not self.blocking)


def open_worker(
    link: Link, wanted: Mapping[str, Any], base: str, state: str, group: str = ""
) -> Opened:
    """Open a worker and return it, for the face without an event loop.

    wanted: merged options, whose paths are relative to `base`. state: the folder for all state.
    group: see `options.for_host`.
    Raises WorkerLoadError, BadOption.
    """
    timeout_s = float(wanted.get("timeout", options.DEFAULT_TIMEOUT_S))
    about = link.ask(0, "open", options=options.for_host(wanted, base, group), base=state)
    number = about["worker"]
    try:
        _declare(link, number, wanted, base)
    except GroundfogError as error:
        link.ask(number, "close", keep=False)
        raise options.BadOption(str(error)) from None
    return Opened(link, number, about, timeout_s)


def _declare(link: Link, number: int, wanted: Mapping[str, Any], base: str) -> None:
    """Tell the host what calls back into the test, and which cassette is used."""
    for binding, target in wanted.get("bindings", {}).items():
        function = mocking.service_function(link, target)
        link.ask(number, "stand_in", binding=binding, function=function)
    if wanted.get("ai", "stub") != "stub":
        path = options.cassette_path(wanted, base)
        link.ask(number, "ai.cassette", mode=wanted["ai"], path=path)
