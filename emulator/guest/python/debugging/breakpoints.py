"""What `breakpoint()` does in a guest.

The guest has no terminal of its own: its output is read by the host. The prompt of pdb, or another
debugger that PYTHONBREAKPOINT names, gets the terminal of `groundfog dev`.
"""

from __future__ import annotations

import os
import sys

from ..connection import Connection

_PDB = ("", "pdb.set_trace")


def install(connection: Connection, terminal: str) -> None:
    """Let `breakpoint()` stop at a prompt on `terminal`, the path of a device, or ""."""
    chosen = os.environ.get("PYTHONBREAKPOINT", "")
    if chosen == "0":
        return
    if chosen in _PDB:
        sys.breakpointhook = lambda *args, **options: _stop(connection, terminal)
        return
    if terminal:
        _give(terminal)


def chosen_debugger() -> str:
    """Return the debugger that PYTHONBREAKPOINT names, or "".

    It does not say when it waits for a person, so the guest counts as halted from its start.
    """
    chosen = os.environ.get("PYTHONBREAKPOINT", "")
    return "" if chosen == "0" or chosen in _PDB else chosen


def _stop(connection: Connection, terminal: str) -> None:
    frame = sys._getframe(2)
    if "debugpy" in sys.modules:
        from . import editor

        if editor.stop_at(frame):
            return
    if not terminal:
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        text = f"groundfog: breakpoint() at {place} is passed by: there is no terminal for a prompt"
        print(text, file=sys.stderr)
        return
    from .prompt import prompt_on

    prompt_on(terminal, connection).stop_at(frame)


def _give(terminal: str) -> None:
    """Make the terminal this process's standard streams."""
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    for target in (0, 1, 2):
        os.dup2(descriptor, target)
    os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)
