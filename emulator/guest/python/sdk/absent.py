"""What is not emulated yet of `js`, `pyodide` and `workers`: using it says so, by its own name.

One text for all of it: names and submodules of the three, and members of JavaScript's classes
(`jsobject.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from opcode import opmap
from types import FrameType, ModuleType
from typing import Any

from .. import tracebacks

TEXT = "Groundfog does not emulate it yet, or there is no such name. What there is: docs/python.md."
# Modules of the runtime and the SDK besides those packages. A user's module has priority.
TOP_LEVEL = ("micropip", "pyodide_js", "_pyodide", "_pyodide_entrypoint_helper")


def speak_for(module: ModuleType, public: str) -> None:
    """Have `module`, which users import as `public`, say what of it is absent."""
    own: Callable[[str], Any] | None = vars(module).get("__getattr__")

    def missing(name: str) -> Any:
        if own is not None:
            try:
                return own(name)
            except AttributeError:
                pass
        if name.startswith("__"):  # introspection
            raise AttributeError(name)
        also = _similar(name, vars(module))
        if _is_imported_now():
            raise ImportError(f"cannot import name {name!r} from {public!r}: {TEXT}{also}")
        raise AttributeError(f"{public}.{name} is not available: {TEXT}{also}")

    module.__getattr__ = missing  # type: ignore[method-assign]
    vars(module).setdefault("__path__", [])  # a package: of its submodules `AbsentModules` speaks


class AbsentModules:
    """Finds nothing: it refuses to import the modules named, and those in the packages named."""

    def __init__(self, names: Iterable[str] = (), packages: Iterable[str] = ()) -> None:
        self._names = frozenset(names)
        self._packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Return None, or raise ModuleNotFoundError."""
        if fullname in self._names or fullname.partition(".")[0] in self._packages:
            raise ModuleNotFoundError(f"No module named {fullname!r}: {TEXT}", name=fullname)


def _is_imported_now() -> bool:
    """Whether user code asks in a `from … import …`, where ImportError is expected.

    CPython replaces an AttributeError there by a text of its own, with our private module names.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and tracebacks.is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None and frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]


def _similar(name: str, names: Iterable[str]) -> str:
    import difflib

    public = [each for each in names if not each.startswith("_")]
    found = difflib.get_close_matches(name, public, n=1)
    return f" Did you mean {found[0]!r}?" if found else ""
