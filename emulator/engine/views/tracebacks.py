"""Where an error was raised: the recorded tracebacks of an instance, put together. Pure.

The traceback of `run()` ends where it waited for the step that failed. The line that raised is in
the traceback of that step's last attempt.
"""

from __future__ import annotations

from emulator.engine.model.step_entries import AttemptFailure

# Python's own words between a cause and what follows from it.
_CAUSES = "\nThe above exception was the direct cause of the following exception:\n\n"


class Tracebacks:
    """Remembers what the traceback of an instance is made of. Entries must come in order."""

    def __init__(self) -> None:
        self._of_run = ""
        self._last: AttemptFailure | None = None

    def attempt_failed(self, failure: AttemptFailure) -> None:
        """An attempt of a step failed."""
        self._last = failure

    def rolls_back(self, traceback: str) -> None:
        """`run()` raised, and handlers are executed first. Their failures are not the cause."""
        self._of_run = self._with_cause(traceback)
        self._last = None

    def ended(self, traceback: str) -> None:
        """The instance failed."""
        self._of_run = self._with_cause(traceback) or self._of_run

    def of_instance(self) -> str:
        """Return the traceback of an instance that failed, or `""`."""
        return self._of_run

    def _with_cause(self, traceback: str) -> str:
        if not traceback or self._last is None:
            return traceback
        raised = traceback.rstrip().rpartition("\n")[2]
        message = self._last.error.message.rstrip().rpartition("\n")[2]
        if self._last.error.name not in traceback or not raised.endswith(message):
            return traceback
        return f"{self._last.traceback.rstrip()}\n{_CAUSES}{traceback}"
