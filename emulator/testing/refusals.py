"""Why something that a test asked for was not done; `kind` says which error the test gets."""

from __future__ import annotations

from typing import Any

from emulator.errors import EmulatorError


class Refused(EmulatorError):
    """The question is answered with an error. `details`: plain values for its attributes."""

    kind = "refused"

    def __init__(self, text: str, **details: Any) -> None:
        super().__init__(text)
        self.text = text
        self.details = details


class LoadRefused(Refused):
    """The user's code, or its configuration, does not load."""

    kind = "load"


class HandlerRefused(Refused):
    """User code raised while it handled a request."""

    kind = "handler"


class Stuck(Refused):
    """What is waited for cannot happen by itself."""

    kind = "stuck"


class TooLate(Refused):
    """It did not happen in time."""

    kind = "late"


class NoSuch(Refused):
    """There is no such binding, instance or step."""

    kind = "none"
