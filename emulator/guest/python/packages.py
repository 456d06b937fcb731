"""The packages of a project: those that are for WebAssembly only, and those that are missing."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import ModuleType

from .sdk.absent import TEXT

_WEBASSEMBLY = ("emscripten", "pyodide", "wasm32")  # in the tags of a wheel


def for_webassembly(python_modules: Path) -> frozenset[str]:
    """Return the packages in `python_modules/` with binaries that only Pyodide can load."""
    found: set[str] = set()
    for wheel in python_modules.glob("*.dist-info/WHEEL"):
        text = _text(wheel)
        if any(tag in text for tag in _WEBASSEMBLY):
            files = _text(wheel.with_name("RECORD")).splitlines()
            found |= {line.split(",")[0].split("/")[0].split(".")[0] for line in files}
    return frozenset(found - {""})


class _NativeFirst(FileFinder):
    """Finds the modules of `python_modules/`, except those that have to come from elsewhere."""

    elsewhere: frozenset[str] = frozenset()

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of a module; None if it has to come from elsewhere."""
        return None if fullname in self.elsewhere else super().find_spec(fullname, target)


def hook(python_modules: Path, elsewhere: frozenset[str]) -> Callable[[str], FileFinder]:
    """Return the path hook of `python_modules/`."""
    loaders: Sequence[tuple[type, list[str]]] = (
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (SourceFileLoader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )

    def find(folder: str) -> FileFinder:
        if Path(folder) != python_modules:
            raise ImportError(f"{folder} is not python_modules/")
        finder = _NativeFirst(folder, *loaders)
        finder.elsewhere = elsewhere
        return finder

    return find


def hint(error: ModuleNotFoundError, python_modules: Path) -> str:
    """Return what to do about a package that is missing; nothing if it is not about a package.

    It names the interpreter that runs, and the command to run.
    """
    name = (error.name or "").partition(".")[0]
    if not name or name in sys.stdlib_module_names or TEXT in str(error):
        return ""
    has = ""
    if name in for_webassembly(python_modules):
        has = f"python_modules/ has {name} for WebAssembly only. "
    named = declared(python_modules.parent)
    if named is None:
        command = (
            f"Install the package that has {name!r}, such as with "
            f"`{sys.executable} -m pip install {name}`; or name it in pyproject.toml and run "
            "`groundfog sync`."
        )
    elif normalized(name) in named:
        command = "pyproject.toml names it: run `groundfog sync`."
    else:
        command = (
            f"Add the package that has {name!r} to the dependencies in pyproject.toml, and run "
            "`groundfog sync`."
        )
    return f"{has}The worker runs in {sys.executable}, which lacks {name!r}. {command}"


def declared(project: Path) -> set[str] | None:
    """Return the names of the packages in pyproject.toml; None without such a file."""
    import tomllib

    for folder in (project, *project.parents):
        if (path := folder / "pyproject.toml").is_file():
            break
    else:
        return None
    try:
        return set(map(name_in, tomllib.loads(_text(path))["project"]["dependencies"]))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return set()


def name_in(requirement: str) -> str:
    """Return the name of the package in a requirement: `Fast_API[all]>=1` -> `fast-api`."""
    return normalized(re.split(r"[^\w.-]", requirement.strip())[0])


def normalized(name: str) -> str:
    """Return the name of a package in the form in which equal names are equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
