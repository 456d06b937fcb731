"""Warns where the user's own code uses what Pyodide lacks: threads, processes, sockets, modules.

Only the line that uses it counts, not a package that does: packages look for such things and do
without.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from . import deployed, files_read, pyodide_lacks, tracebacks

_STANDARD = os.path.dirname(os.__file__)
_PACKAGES = ("site-packages", "dist-packages", "python_modules")
_THREAD = "a thread is started: deployed, it is RuntimeError: can't start new thread."
_seen: set[str] = set()  # modules that user code has imported
_PROCESS = "a process is started: deployed, there are no processes."


def watch(project: str, root: str, flags: dict[str, bool], files: list[str]) -> None:
    """Warn from now on of what code in the folder `project` uses.

    root: the folder of the main module. files: the patterns of what is deployed of it beside
    Python modules.
    """
    checks: dict[str, Callable[[tuple[Any, ...]], str]] = {
        "import": _of_import,
        "open": lambda args: _of_written(args, project),
        "socket.bind": lambda args: "a socket listens: deployed, none can.",
        **dict.fromkeys(
            ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "os.exec"),
            lambda args: _PROCESS,
        ),
    }
    if not any(flags.get(flag) for flag in pyodide_lacks.SOCKETS_FLAGS):
        checks["socket.connect"] = lambda args: (
            "a socket connects: deployed, there are sockets from Python 3.14 on. Use fetch()."
        )
    reading = files_read.Watched(project, root, files)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        check = checks.get(event)
        if check is None:
            return
        if event == "open" and (text := reading.of(args)):
            deployed.warn(text)
        elif (text := check(args)) and is_of(project, sys._getframe(1)):
            deployed.warn(text)

    sys.addaudithook(hook)
    _watch_threads(project)


def _of_import(args: tuple[Any, ...]) -> str:
    name = args[0]
    if name in pyodide_lacks.MODULES:
        return f"{name} is imported: deployed, there is no such module."
    if "." in name or name in sys.stdlib_module_names or name in _seen:
        return ""
    if not is_of(os.getcwd(), sys._getframe(2)):  # the loader has gone into the project
        return ""
    _seen.add(name)
    from . import undeployed

    return undeployed.text_of(name)


def _watch_threads(project: str) -> None:
    """The same for threads, of which Python 3.11 raises no event."""
    start = threading.Thread.start

    def started(self: threading.Thread) -> None:
        if is_of(project, sys._getframe(1)):
            deployed.warn(_THREAD)
        start(self)

    threading.Thread.start = started  # type: ignore[method-assign]


def _of_written(args: tuple[Any, ...], project: str) -> str:
    path, mode = args[0], args[1]
    if not isinstance(path, str) or not isinstance(mode, str) or not set(mode) & set("wax+"):
        return ""
    if not os.path.abspath(path).startswith(project + os.sep):
        return ""
    return "a file of the project is written: deployed, they can only be read."


def is_standard(file: str) -> bool:
    """Whether a file is of Python itself, or of a package beside it."""
    return file.startswith(("<frozen", _STANDARD))


def is_of(project: str, frame: FrameType | None) -> bool:
    """Return whether the innermost code that is not the standard library's is the project's own."""
    while frame is not None:
        file = frame.f_code.co_filename
        parts = file.split(os.sep)
        is_package = any(folder in parts for folder in _PACKAGES)
        if is_package or not is_standard(file):
            inside = file.startswith(project + os.sep) and not is_package
            return inside and not tracebacks.is_ours(file)
        frame = frame.f_back
    return False
