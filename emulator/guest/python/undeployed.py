"""Packages that user code imports here and that are not deployed, or cannot be.

Imported when user code imports its first package: `tomllib` and metadata are read then.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from . import packages, pyodide_lacks

# What comes with Groundfog, where it is installed beside the worker's packages.
GROUNDFOGS = frozenset(
    """
    aiosqlite anyio apsw certifi cffi click cryptography groundfog h11 httpcore httptools httpx idna
    msgspec multipart numpy python_multipart re2 simsimd sniffio starlette tomli uvicorn uvloop
    watchfiles websockets
    """.split()
)


def text_of(module: str) -> str:
    """Return why the package of a top-level module is not deployed; "" if it is, or who knows."""
    python_modules = Path.cwd() / "python_modules"  # the loader has gone into the project
    if any((python_modules / name).exists() for name in (module, f"{module}.py")):
        return ""
    if module in GROUNDFOGS and _has_groundfog() and module not in _needed(python_modules.parent):
        return (
            f"{module} is imported, which is here only because Groundfog needs it: it is not "
            "deployed. Add it to the dependencies in pyproject.toml."
        )
    info = _distributions().get(packages.normalized(module))
    name = packages.normalized(module).replace("-", "_")
    if info is not None and module not in GROUNDFOGS and name not in _needed(Path.cwd()):
        return (
            f"{module} is imported, which pyproject.toml does not name: it is not deployed. Add it "
            "to the dependencies there."
        )
    if info is None or not _has_binaries(info) or packages.normalized(module) in _builds():
        return ""
    return (
        f"{module} is imported, which has binaries: Pyodide had no build of it on "
        f"{pyodide_lacks.READ_ON}. It can be deployed only if PyPI has one for Pyodide."
    )


def _has_groundfog() -> bool:
    return "groundfog" in _distributions()


def _needed(project: Path) -> set[str]:
    """Return the packages that pyproject.toml names, and those that they need, as modules."""
    from importlib.metadata import PackageNotFoundError, requires

    waiting = list(packages.declared(project) or ())
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue
        waiting += [packages.name_in(text) for text in needed if "extra ==" not in text]
    return {name.replace("-", "_") for name in found}


def _distributions() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if name.endswith(".dist-info"):
                found[packages.normalized(name.split("-")[0])] = Path(folder, name)
    return found


def _has_binaries(info: Path) -> bool:
    try:
        wheel = (info / "WHEEL").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "Tag:" in wheel and "-none-any" not in wheel


def _builds() -> frozenset[str]:
    flags = sys.modules.get("_cloudflare_compat_flags")
    has_314 = any(getattr(flags, name, False) for name in pyodide_lacks.SOCKETS_FLAGS)
    return pyodide_lacks.builds(has_314)
