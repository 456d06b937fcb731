"""Programs that the host starts, and that must end with it, whatever ends it.

Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def ends_with_parent(parent: int) -> Callable[[], None] | None:
    """Return what makes the kernel end a child with its parent, where the kernel can.

    It is called in the child before the program begins.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def bind_to_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has died in between
            os._exit(1)

    return bind_to_parent
