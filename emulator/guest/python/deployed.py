"""Warns of what works here but differs when it is deployed: once, with the user's line."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

from . import tracebacks

_told: set[tuple[str, str]] = set()


def warn(text: str, where: str = "") -> None:
    """Print `text` once on stderr, after the line of user code that runs now, or `where`."""
    where = where or place()
    if (where, text) in _told:
        return
    _told.add((where, text))
    print(f"warning: {where}{': ' if where else ''}{text}", file=sys.stderr, flush=True)


def place() -> str:
    """Return the line of user code that runs now, `"src/entry.py:12"`, or nothing.

    The innermost line in the project; if there is none, the innermost one that is not ours.
    """
    project = Path.cwd()  # the loader has gone there
    frame: FrameType | None = sys._getframe(1)
    nearest = ""
    while frame is not None:
        file = frame.f_code.co_filename
        if not tracebacks.is_ours(file):
            path = Path(file)
            if path.is_relative_to(project) and "site-packages" not in path.parts:
                return f"{path.relative_to(project).as_posix()}:{frame.f_lineno}"
            nearest = nearest or f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return nearest
