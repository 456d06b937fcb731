"""Warns of what is known once a worker is loaded, and breaks deployed.

`groundfog check` tells the same of the source (`emulator/deployability/project.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from . import deployed, pyodide_lacks
from .sdk.pyodide import ffi

PYTHON_MODULES = "python_modules"
_REQUIREMENTS = ("requirements.txt", "cf-requirements.txt")
_FLAGS_3_13 = ("python_workers_20250116", *pyodide_lacks.SOCKETS_FLAGS)
_NAMES_3_13 = ("run_sync", "can_run_sync", "jsnull")


def check(project: Path, root: Path, flags: Mapping[str, bool], has_workflows: bool) -> None:
    """Warn of each. root: the folder of the main module."""
    for name in _REQUIREMENTS:
        if (project / name).is_file():
            text = "pywrangler refuses this file. Name the packages in pyproject.toml instead."
            deployed.warn(text, name)
    if root != project and (root / PYTHON_MODULES).is_dir():
        where = (root / PYTHON_MODULES).relative_to(project).as_posix()
        deployed.warn("wrangler refuses this folder beside main. It belongs in the project.", where)
    if has_workflows and not flags.get("python_workflows"):
        deployed.warn(
            "the worker has a workflow, which needs a compatibility_date from 2025-09-20 on, or "
            'the flag "python_workflows".',
            "configuration",
        )
    if not any(flags.get(flag) for flag in _FLAGS_3_13):
        for module, name in _newer_names(root):
            deployed.warn(
                f"pyodide.ffi.{name} is imported: workers of this compatibility_date run on Python"
                ' 3.12, which lacks it. Take 2025-09-29, or the flag "python_workers_20250116".',
                Path(str(module.__file__)).relative_to(project).as_posix(),
            )


def _newer_names(root: Path) -> Iterator[tuple[ModuleType, str]]:
    """Yield the names of Python 3.13 workers that modules of the user have."""
    newer: dict[int, str] = {id(getattr(ffi, name)): name for name in _NAMES_3_13}
    for module in list(sys.modules.values()):
        file: Any = getattr(module, "__file__", None)
        if isinstance(file, str) and Path(file).is_relative_to(root):
            if PYTHON_MODULES not in Path(file).relative_to(root).parts:
                found = {newer[id(value)] for value in vars(module).values() if id(value) in newer}
                yield from ((module, name) for name in sorted(found))
