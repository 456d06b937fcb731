"""Answers of `env.AI`, as a test declares them, and what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from groundfog.testing.errors import OverBudget
from groundfog.testing.opened import Opened

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class Ai:
    """`env.AI` of a worker: its calls, and rules for them. Without a rule, the stub answers.

    A rule that answers nothing fails the test, unless `assert_all_called` is set to False.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @property
    def assert_all_called(self) -> bool:
        """Whether a rule that answers nothing fails the test."""
        return bool(self._opened.strict.get("ai", True))

    @assert_all_called.setter
    def assert_all_called(self, wanted: bool) -> None:
        self._opened.strict["ai"] = wanted

    def rule(
        self,
        model: str = "*",
        prompt: str | None = None,
        input: Mapping[str, Any] | None = None,
        task: str | None = None,
    ) -> AiRule:
        """Return a rule for the calls that meet all conditions; say then how it answers.

        model: a glob. prompt: a regular expression, searched in the prompt. input: JSON paths into
        the inputs, and what stands there. task: of the model. They are those of `[[ai.rules]]`.
        """
        conditions = {"model": model, "prompt": prompt, "input": dict(input or {}), "task": task}
        return AiRule(self._opened, conditions)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Every call so far, as `groundfog ai calls --json` tells it."""
        found: list[dict[str, Any]] = self._opened.link.ask(self._opened.number, "ai.calls")
        return found

    @property
    def neurons(self) -> float:
        """About how many neurons the calls so far would have cost."""
        return float(sum(call.get("neurons", 0) for call in self.calls))

    def budget(self, *, calls: int | None = None, neurons: float | None = None) -> AiBudget:
        """Return a context manager that fails when more is used inside it."""
        return AiBudget(self, calls, neurons)


class AiRule:
    """A rule that has its conditions; one of these methods says what it answers."""

    def __init__(self, opened: Opened, conditions: dict[str, Any]) -> None:
        self._opened = opened
        self._conditions = conditions

    def text(self, text: str) -> None:
        """Answer with a text, in the shape of the model."""
        self._add(text=text)

    def json(self, value: Any) -> None:
        """Answer with this value: the result, or of a text model what is in `response`."""
        self._add(json=value)

    def error(self, code: int, message: str = "", name: str = "AiError") -> None:
        """Fail with one of the service's codes, such as 3040 (out of capacity)."""
        self._add(error={"code": code, "message": message, "name": name})

    def sequence(self, answers: Sequence[Any]) -> None:
        """Answer call by call; the last repeats. `{"error": {"code": 3040}}` among them fails."""
        self._add(sequence=list(answers))

    def _add(self, **answer: Any) -> None:
        fields = {**self._conditions, **answer}
        self._opened.link.ask(self._opened.number, "ai.rule", **fields)


class AiBudget:
    """See `Ai.budget`."""

    def __init__(self, ai: Ai, calls: int | None, neurons: float | None) -> None:
        self._ai = ai
        self._calls = calls
        self._neurons = neurons
        self._before = (0, 0.0)

    def __enter__(self) -> AiBudget:
        self._before = (len(self._ai.calls), self._ai.neurons)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        calls = len(self._ai.calls) - self._before[0]
        neurons = self._ai.neurons - self._before[1]
        if self._calls is not None and calls > self._calls:
            raise OverBudget(f"{calls} calls of env.AI; {self._calls} were expected at the most.")
        if self._neurons is not None and neurons > self._neurons:
            raise OverBudget(
                f"About {neurons:,.1f} neurons; {self._neurons:g} were expected at the most."
            )
