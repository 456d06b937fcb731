"""Which Python runs the guest."""

from __future__ import annotations

from pathlib import Path

# People usually make `.venv`; pywrangler makes `.venv-workers`.
VIRTUAL_ENVIRONMENTS = (".venv", ".venv-workers")
_CONFIGURATIONS = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")


def likely_project(directory: Path, config_path: Path | None) -> Path:
    """Return where the project probably is, before the configuration has been read."""
    if config_path is not None:
        return (directory / config_path).parent
    start = directory.absolute()
    for folder in (start, *start.parents):
        if any((folder / name).exists() for name in _CONFIGURATIONS):
            return folder
    return start


def guest_interpreter(project_dir: Path, chosen: Path | None, own: Path) -> Path:
    """Return `chosen` (`--python`), else the project's own virtual environment's, else `own`."""
    if chosen is not None:
        return chosen
    for folder in VIRTUAL_ENVIRONMENTS:
        for relative in ("bin/python", "Scripts/python.exe"):
            candidate = project_dir / folder / relative
            if candidate.exists():
                return candidate
    return own
