"""debugpy, for an editor that speaks the debug adapter protocol.

It listens on loopback, on a port that the system chooses; the host has one address for all
generations, and passes an editor on to the one that serves.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import FrameType

from ....protocol.life import DebugListening

LOOPBACK = "127.0.0.1"
_QUIET = "PYDEVD_DISABLE_FILE_VALIDATION"  # it warns of modules that are built into Python


def listen() -> DebugListening:
    """Let debugpy wait for an editor; return where, or one line that says why it does not."""
    os.environ[_QUIET] = "1"
    try:
        debugpy = importlib.import_module("debugpy")
    except ImportError:
        del os.environ[_QUIET]
        install = f"{sys.executable} -m pip install debugpy"
        return DebugListening(problem=f"--debug needs debugpy in the worker's Python: {install}")
    hook = sys.breakpointhook
    try:
        _, port = debugpy.listen((LOOPBACK, 0))
    except Exception as error:  # whatever it is, the worker runs without a debugger
        return DebugListening(problem=f"debugpy does not listen: {error}")
    finally:
        del os.environ[_QUIET]
        sys.breakpointhook = hook  # debugpy's own passes by while no editor is attached
    return DebugListening(port)


def stop_at(frame: FrameType) -> bool:
    """Stop the code of a frame in the editor; return False if none is attached."""
    debugpy, pydevd = sys.modules["debugpy"], sys.modules.get("pydevd")
    if pydevd is None or not debugpy.is_client_connected():
        return False
    pydevd.settrace(
        suspend=True,
        trace_only_current_thread=True,
        patch_multiprocessing=False,
        stop_at_frame=frame,
    )
    return True
