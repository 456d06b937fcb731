"""Which packages an interpreter has, found without starting it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from emulator.packages.declared import Declared, normalized

_WEBASSEMBLY = ("emscripten", "pyodide", "wasm32")  # in the tags of a wheel


def site_packages(interpreter: Path) -> list[Path] | None:
    """Return the folders of an interpreter's packages; None if they cannot be told.

    They can be told of a virtual environment that stands alone, and of the interpreter that runs
    this code.
    """
    if interpreter == Path(sys.executable):
        return [
            Path(folder)
            for folder in sys.path
            if folder.endswith(("site-packages", "dist-packages"))
        ]
    environment = interpreter.parent.parent
    try:
        settings = (environment / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    lines = {line.replace(" ", "").lower() for line in settings.splitlines()}
    if "include-system-site-packages=true" in lines:
        return None
    return [*environment.glob("lib/python*/site-packages"), *environment.glob("Lib/site-packages")]


def distributions(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the distributions in these folders: normalized name -> its `.dist-info` folder."""
    found: dict[str, Path] = {}
    for folder in folders:
        for entry in folder.glob("*.dist-info"):
            found.setdefault(normalized(entry.name.rpartition("-")[0].rpartition("-")[0]), entry)
    return found


def is_for_webassembly(dist_info: Path) -> bool:
    """Whether a distribution has binaries that only Pyodide can load."""
    try:
        tags = (dist_info / "WHEEL").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(tag in tags for tag in _WEBASSEMBLY)


def missing(declared: Declared, interpreter: Path, python_modules: Path) -> list[str]:
    """Return the declared packages that the interpreter lacks; none if it cannot be told.

    Packages in plain Python may be in `python_modules/` too. Versions are not compared, and
    dependencies for some platforms or versions of Python only are left out.
    """
    folders = site_packages(interpreter)
    if folders is None:
        return []
    present = set(distributions(folders))
    vendored = distributions([python_modules])
    present |= {name for name, info in vendored.items() if not is_for_webassembly(info)}
    return [
        each.name for each in declared.requirements if not each.marker and each.name not in present
    ]
