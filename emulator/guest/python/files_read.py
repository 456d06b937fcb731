"""Files of the project that are read and that are not deployed: no rule covers them.

It counts who reads them neither: a template is read by the library of templates.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from . import tracebacks

_MODULES = (".py", ".pyc", ".pyi", ".so", ".pth")
_FOLDERS = ("python_modules", "node_modules", "site-packages", "dist-packages", "__pycache__")
_STANDARD = os.path.dirname(os.__file__)


class Watched:
    """The files of one project."""

    def __init__(self, project: str, root: str, files: list[str]) -> None:
        self._project = project + os.sep
        self._root = root + os.sep
        self._written: set[str] = set()
        self._patterns = [re.compile(pattern) for pattern in files]

    def of(self, args: tuple[Any, ...]) -> str:
        """Return what is wrong with the reading of a file, by the arguments of the event "open"."""
        path, mode = args[0], args[1]
        if not isinstance(path, str) or not isinstance(mode, str) or path.endswith(_MODULES):
            return ""
        path = os.path.abspath(path)
        if set(mode) & set("wax+"):
            self._written.add(path)  # who writes it has been warned
        if path in self._written or not path.startswith(self._project):
            return ""
        if self._is_deployed(path) or _is_read_by_us():
            return ""
        shown = path.removeprefix(self._project)
        if not path.startswith(self._root):
            return f"{shown} is read: it is outside of the folder of main, and not deployed."
        return (
            f"{shown} is read, and no rule covers it: it is not deployed. Add it to `rules` in the "
            "configuration."
        )

    def _is_deployed(self, path: str) -> bool:
        parts = path.removeprefix(self._project).split(os.sep)
        if any(part in _FOLDERS or part.startswith(".") for part in parts[:-1]):
            return True  # it belongs to a package, or to a tool
        if not os.path.isfile(path) or not path.startswith(self._root):
            return not os.path.isfile(path)
        relative = path.removeprefix(self._root).replace(os.sep, "/")
        return any(pattern.match(relative) for pattern in self._patterns)


def _is_read_by_us() -> bool:
    """Whether the innermost code that is not the standard library's is ours."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        file = frame.f_code.co_filename
        if file == __file__ or file.endswith(f"{os.sep}lacking.py") and tracebacks.is_ours(file):
            continue
        if not file.startswith(("<frozen", _STANDARD)) or "site-packages" in file:
            return tracebacks.is_ours(file)
    return True
