"""What a guest calls while its `email` handler runs, as a binding that every guest has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from emulator.kinds.email import KIND
from emulator.triggers.triggers import Triggers

if TYPE_CHECKING:
    from emulator.triggers.email import Emails


class EmailActions:
    """`forward` and `reply` of the emails that a worker is handling."""

    kind = "email"

    def __init__(self, triggers: Triggers) -> None:
        self._triggers = triggers

    async def call(self, method: str, args: list[Any]) -> Any:
        """See `Emails.act`."""
        return await cast("Emails", self._triggers.of(KIND)).act(method, args)

    async def close(self) -> None:
        """Nothing is held."""
