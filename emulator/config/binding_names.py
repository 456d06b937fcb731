"""Keeps the names on `env` apart: every binding, variable and secret needs its own.

Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/workers-utils/src/config/validation.ts
(validateBindingsHaveUniqueNames).
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from emulator.config.problems import Report, listed

_FIX = (
    "Bindings must have unique names, so that they can all be referenced in the worker. "
    "Please change your bindings to have unique names."
)


class BindingNames(Struct):
    """Who asked for which name, and where."""

    _users: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, name: str | None, friendly: str, where: str) -> None:
        """Note that the `friendly` kind of binding at `where` is called `name`."""
        if name:
            self._users.setdefault(name, []).append((friendly, where))

    def kind_of(self, name: str) -> str | None:
        """Return the friendly name of what is called `name`, or None."""
        users = self._users.get(name)
        return users[0][0] if users else None

    def report_duplicates(self, report: Report) -> None:
        """Report every name that is used more than once, at its second use."""
        for name, users in self._users.items():
            if len(users) < 2:
                continue
            kinds = Counter(friendly for friendly, _ in users)
            if len(kinds) == 1:
                text = f"{name} assigned to multiple {users[0][0]} bindings."
            else:
                text = f"{name} assigned to {listed(kinds)} bindings."
            report.error(users[1][1], f"{text} The first is at {users[0][1]}", _FIX)
