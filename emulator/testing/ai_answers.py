"""Answers of `env.AI` that a test declares: rules before those of groundfog.toml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bindings.ai.settings import AiSettings, Rule
from bindings.binding import Binding

WHERE = "the test's rule "  # stands in the ledger in place of a line of groundfog.toml


class Answers:
    """`env.AI` of a worker under test; its rules may change while it is used."""

    kind = "ai"

    def __init__(self, settings: AiSettings, opened: Callable[[AiSettings], Binding]) -> None:
        """opened: returns the binding with these settings."""
        self._settings = settings
        self._opened = opened
        self.rules: tuple[Rule, ...] = ()

    @property
    def settings(self) -> AiSettings:
        """Who answers what no rule of the test is for."""
        return self._settings

    def use(self, settings: AiSettings) -> None:
        """Let calls be answered so from now on."""
        self._settings = settings

    def check(self) -> None:
        """Raise ValueError when a rule cannot be used."""
        self._binding()

    def _binding(self) -> Binding:
        settings = replace(self._settings, rules=(*self.rules, *self._settings.rules))
        return self._opened(settings)

    async def call(self, method: str, args: list[Any]) -> Any:
        """Call the binding with the rules of now. Raises WorkerError."""
        return await self._binding().call(method, args)

    async def close(self) -> None:
        """See `Binding`; the worker closes it."""


def shown(rule: Rule) -> str:
    """Return a rule in words."""
    parts = [f"model={rule.model!r}"] if rule.model != "*" else []
    parts += [f"prompt={rule.prompt!r}"] if rule.prompt is not None else []
    parts += [f"input={dict(rule.input)!r}"] if rule.input else []
    return f"rule({', '.join(parts)})"
