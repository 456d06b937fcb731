"""The mode of the terminal: a prompt of a debugger that is killed leaves it without echo."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable


def kept_mode() -> Callable[[], None]:
    """Return what puts the terminal on standard input back into the mode it has now."""
    if not os.isatty(0):
        return lambda: None
    import termios

    mode = termios.tcgetattr(0)

    def restore() -> None:
        with contextlib.suppress(termios.error, OSError):  # the terminal has gone
            if termios.tcgetattr(0) != mode:
                termios.tcsetattr(0, termios.TCSANOW, mode)

    return restore
