"""Which steps a run may begin to execute without asking the host first. PROTOCOL.md, section 8.

These are only steps that the host would certainly have executed. The guest asks about steps that
the host could refuse, or about which it knows more.
"""

from __future__ import annotations

from typing import Any

NAME_MAX_CHARS = 256  # the host refuses longer names


class Allowance:
    """How many new `do` steps a run may still begin by itself."""

    __slots__ = ("_left", "_begun")

    def __init__(self) -> None:
        self._left = 0
        self._begun: frozenset[tuple[str, int]] = frozenset()

    def grant(self, steps: int, begun: list[list[Any]]) -> None:
        """Allow so many steps, except those that have begun before: `[name, count]`."""
        self._left = steps
        self._begun = frozenset((name, count) for name, count in begun)

    def revoke(self) -> None:
        """Ask before every step from now on."""
        self._left = 0

    def use(self, name: str, count: int, options: dict[str, Any]) -> bool:
        """Note that a `do` is called, and return whether it may begin at once."""
        if self._left <= 0:
            return False
        self._left -= 1
        return (
            not options
            and len(name) <= NAME_MAX_CHARS
            and name.isprintable()
            and (name, count) not in self._begun
        )
