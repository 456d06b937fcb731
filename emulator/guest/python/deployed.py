"""Tells of what works here and goes otherwise when it is deployed: once, with the user's line."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

from . import tracebacks

_told: set[tuple[str, int, str]] = set()


def warn(text: str) -> None:
    """Print `text` on stderr behind the line of user code that runs now, once for each line."""
    frame = _users_frame()
    file, line = ("", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
    if (file, line, text) in _told:
        return
    _told.add((file, line, text))
    where = f"{_shown(file)}:{line}: " if file else ""
    print(f"warning: {where}{text}", file=sys.stderr, flush=True)


def _users_frame() -> FrameType | None:
    """Return the innermost frame of a file in the project, else of any that is not ours."""
    frame: FrameType | None = sys._getframe(2)
    nearest = None
    while frame is not None:
        file = frame.f_code.co_filename
        if not tracebacks.is_ours(file):
            if Path(file).is_relative_to(Path.cwd()) and "site-packages" not in file:
                return frame
            nearest = nearest or frame
        frame = frame.f_back
    return nearest


def _shown(file: str) -> str:
    path = Path(file)
    inside = path.is_relative_to(Path.cwd())  # the loader has gone to the project's folder
    return path.relative_to(Path.cwd()).as_posix() if inside else file
