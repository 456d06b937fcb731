"""The files of a project's types: `Env`, and the stubs beside it."""

from __future__ import annotations

from pathlib import Path

STUBS = Path(__file__).parent / "stubs"
DEFAULT = Path("typings") / "worker_env.pyi"


def stubs(env: Path, interface: str) -> dict[Path, str]:
    """Return the stubs that go beside the file of `Env`: path -> text.

    `workers` gets its `Env` from that file, under the name that it has there.
    """
    found = {}
    imported = f"from {env.stem} import {interface} as Env"
    for path in sorted(STUBS.rglob("*.pyi")):
        text = path.read_text(encoding="utf-8")
        text = text.replace("from worker_env import Env as Env", imported)
        found[env.parent / path.relative_to(STUBS)] = text
    return found


def outdated(wanted: dict[Path, str]) -> list[Path]:
    """Return the files that are missing, or are not as they should be."""
    return [path for path, text in wanted.items() if _text(path) != text]


def write(wanted: dict[Path, str]) -> None:
    """Write the files that are not as they should be. Raises OSError."""
    for path in outdated(wanted):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
