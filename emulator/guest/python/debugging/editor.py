"""debugpy, for an editor that speaks the debug adapter protocol.

It listens on loopback, on a port that the system chooses; the host has one address for all
generations, and passes an editor on to the one that serves.
"""

from __future__ import annotations

import importlib
import sys

from ....protocol.life import DebugListening


def listen() -> DebugListening:
    """Let debugpy wait for an editor; return where, or one line that says why it does not."""
    try:
        debugpy = importlib.import_module("debugpy")
    except ImportError:
        install = f"{sys.executable} -m pip install debugpy"
        return DebugListening(problem=f"--debug needs debugpy in the worker's Python: {install}")
    try:
        _, port = debugpy.listen(("127.0.0.1", 0))
    except Exception as error:  # whatever it is, the worker runs without a debugger
        return DebugListening(problem=f"debugpy does not listen: {error}")
    return DebugListening(port)
