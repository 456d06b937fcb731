"""What a worker would tell the person at the terminal, kept for its test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bindings.network.network import Fetched
from emulator.engine.model.divergence import Diverged
from emulator.protocol.life import REFUSED_NETWORK
from emulator.runner.output import OutputLine
from emulator.runner.requests import LoadError

LOGS_MAX = 10_000


class Logs:
    """The lines of one worker, the newest 10,000.

    `{"level", "message", "at_ms", "request", "workflow", "instance"}` of each; the last three say
    on whose behalf it was printed. level: "log" and "error" are what user code prints on stdout
    and stderr; "notice", "warning" and "problem" are Groundfog's.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.lines: list[dict[str, Any]] = []
        self.refused: Callable[[str], None] = lambda place: None  # a connection of the guest
        self._now_ms = now_ms

    def notice(self, text: str) -> None:
        self._add("notice", text)

    def warning(self, text: str) -> None:
        self._add("warning", text)

    def error(self, text: str) -> None:
        self._add("problem", text)

    def output(self, line: OutputLine) -> None:
        if line.stream == "stderr" and line.text.startswith(REFUSED_NETWORK):
            self.refused(line.text.removeprefix(REFUSED_NETWORK))
            return
        self._add("log" if line.stream == "stdout" else "error", line.text, line.label)

    def fetched(self, fetched: Fetched) -> None:
        return None

    def reloaded(self, changed: frozenset[Path], duration_ms: float) -> None:
        return None

    def load_failed(self, error: LoadError, still_serving: bool) -> None:
        return None

    def diverged(self, told: Diverged) -> None:
        self._add("problem", str(told))

    def problems(self) -> list[str]:
        """Return what was told as a problem, the newest last."""
        return [line["message"] for line in self.lines if line["level"] == "problem"]

    def _add(self, level: str, text: str, label: str = "") -> None:
        """Keep a line. label: see `protocol/life.py`."""
        workflow, tab, instance = label.partition("\t")
        self.lines.append(
            {
                "level": level,
                "message": text,
                "at_ms": self._now_ms(),
                "request": "" if tab else label,
                "workflow": workflow if tab else "",
                "instance": instance,
            }
        )
        del self.lines[:-LOGS_MAX]
