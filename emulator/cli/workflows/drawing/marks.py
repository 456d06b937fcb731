"""A sign and a colour for every status, the same in all output."""

from __future__ import annotations

from emulator.cli.ink import Colour, Ink

_MARKS = {
    "queued": ("○", Colour.DIM),
    "running": ("●", Colour.CYAN),
    "waiting": ("◷", Colour.BLUE),
    "paused": ("‖", Colour.YELLOW),
    "waitingForPause": ("‖", Colour.YELLOW),
    "rollingBack": ("↺", Colour.YELLOW),
    "complete": ("✓", Colour.GREEN),
    "errored": ("✗", Colour.RED),
    "terminated": ("■", Colour.RED),
}
ENDED = frozenset({"complete", "errored", "terminated"})


def mark(status: str) -> tuple[str, Colour]:
    """Return the sign of a status, one column wide, and its colour."""
    return _MARKS.get(status, ("?", Colour.PLAIN))


def marked(status: str, ink: Ink) -> str:
    """Return a status with its sign: `"✓ complete"`."""
    sign, colour = mark(status)
    return ink(colour, f"{sign} {status}")
