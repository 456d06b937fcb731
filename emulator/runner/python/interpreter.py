"""Which Python runs the guest."""

from __future__ import annotations

import re
from pathlib import Path

# People usually make `.venv`; pywrangler makes `.venv-workers`.
VIRTUAL_ENVIRONMENTS = (".venv", ".venv-workers")
_CONFIGURATIONS = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")
_PYTHON_FILE = re.compile(r"""\.py["']""")


def likely_project(directory: Path, config_path: Path | None) -> Path:
    """Return where the project probably is, before the configuration has been read."""
    if config_path is not None:
        return (directory / config_path).parent
    start = directory.absolute()
    for folder in (start, *start.parents):
        if any((folder / name).exists() for name in _CONFIGURATIONS):
            return folder
    return start


def may_run_python(project: Path, config_path: Path | None) -> bool:
    """Return whether the worker may be one in Python, by a glance at its configuration."""
    named = [config_path.name] if config_path is not None else _CONFIGURATIONS
    for path in (project / name for name in named):
        try:
            return _PYTHON_FILE.search(path.read_text(encoding="utf-8")) is not None
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError):  # what is wrong is said when it is read
            return True
    return True


def guest_interpreter(project_dir: Path, chosen: Path | None, own: Path) -> Path:
    """Return `chosen` (`--python`), else the project's own virtual environment's, else `own`."""
    if chosen is not None:
        return chosen
    for folder in VIRTUAL_ENVIRONMENTS:
        if found := environment_interpreter(project_dir / folder):
            return found
    return own


def environment_interpreter(environment: Path) -> Path | None:
    """Return the Python of a virtual environment, if it is there."""
    for relative in ("bin/python", "Scripts/python.exe"):
        candidate = environment / relative
        if candidate.exists():
            return candidate
    return None
