"""States that were saved under names, beside the state directory of a project.

A saved state is a folder with a copy of the files and `saved.json`: its version, when it was saved,
and a checksum of each file. What does not fit its checksum is not loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from emulator.cli import state_files
from emulator.cli.state_files import MANIFEST, VERSION
from emulator.clock import SystemClock
from emulator.config.model import Config
from emulator.disk import replace_file
from emulator.engine.model.plain import iso
from emulator.errors import StateError, UsageError
from emulator.kinds.registry import KINDS
from emulator.state import CONTENTS, State

FOLDER = ".groundfog-states"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Saved(Struct, frozen=True):
    """One of them: its name, when it was saved (ISO 8601), its size."""

    name: str
    at: str
    size: int
    files: int


class SavedStates:
    """The saved states of one project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, config: Config) -> SavedStates:
        """Return those of a project: in `.groundfog-states`, beside its configuration."""
        return cls(config.path.parent / FOLDER)

    def list(self) -> list[Saved]:
        """Return all, by name."""
        if not self._folder.is_dir():
            return []
        return [self._saved(path.parent) for path in sorted(self._folder.glob(f"*/{MANIFEST}"))]

    def get(self, name: str) -> Saved:
        """Return one. Raises UsageError when there is none of this name."""
        path = self._path(name)
        self._existing(path, name)
        return self._saved(path)

    def save(self, state: State, name: str) -> Saved:
        """Copy a state that nobody uses; a saved one of this name is replaced.

        Raises UsageError for a bad name or where there is no state, StateError when it is in use.
        """
        target = self._path(name)
        if not state.directory.is_dir():
            raise UsageError(f"There is no state yet: {state.directory} does not exist.")
        making = target.with_name(f".{name}.new")
        with state.locked():
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(parents=True)
            _ignored(self._folder)
            for part in _parts(state.directory):
                _copy(part, making / part.name)
        manifest = {
            "version": VERSION,
            "saved": iso(SystemClock().now_ms()),
            "files": {path: _checksum(making / path) for path in _files(making)},
        }
        replace_file(making / MANIFEST, json.dumps(manifest, indent=2))
        shutil.rmtree(target, ignore_errors=True)
        os.replace(making, target)
        return self._saved(target)

    def load(self, name: str, state: State) -> Saved:
        """Put a saved state in the place of one that nobody uses.

        Raises UsageError when there is none of this name, StateError when it is damaged or in use.
        """
        source = self._path(name)
        manifest = self._checked(source, name)
        state.prepare()
        state.reset([each for kind in KINDS for each in kind.files])
        with state.locked():
            for path in manifest["files"]:
                target = state.directory / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / path, target)
        return self._saved(source)

    def export(self, name: str, target: Path) -> Saved:
        """Write a saved state as one file. Raises UsageError, StateError when it is damaged."""
        source = self._path(name)
        state_files.export(source, self._checked(source, name), target)
        return self._saved(source)

    def take_in(self, file: Path, name: str) -> Saved:
        """Save what `export` has written, perhaps a stranger, under a name that is free.

        Raises UsageError, and StateError when the file is not what it says.
        """
        target = self._path(name)
        if target.exists():
            raise UsageError(f'A state is saved as "{name}" already. Take another name.')
        self._folder.mkdir(exist_ok=True)
        _ignored(self._folder)
        making = target.with_name(f".{name}.new")
        shutil.rmtree(making, ignore_errors=True)
        state_files.unpack(file, making)
        try:
            with tempfile.TemporaryDirectory() as folder:  # to look at a database changes its files
                looked_at = Path(folder) / "state"
                shutil.copytree(making, looked_at)
                state_files.check_databases(looked_at, file)
            os.replace(making, target)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return self._saved(target)

    def copy(self, name: str, folder: Path) -> State:
        """Return a copy of a saved state, in a folder that is not there yet."""
        source = self._path(name)
        self._checked(source, name)
        shutil.copytree(source, folder)
        return State(folder)

    def delete(self, name: str) -> None:
        """Delete a saved state. Raises UsageError when there is none of this name."""
        path = self._path(name)
        self._existing(path, name)
        shutil.rmtree(path)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f'"{name}" cannot be the name of a saved state: use letters, digits, ".", "_", "-".'
            )
        return self._folder / name

    def _existing(self, path: Path, name: str) -> None:
        if not (path / MANIFEST).is_file():
            names = ", ".join(saved.name for saved in self.list()) or "none"
            raise UsageError(f'No state was saved as "{name}". There are: {names}.')

    def _checked(self, source: Path, name: str) -> dict[str, Any]:
        """Return the manifest, if every file is as it was saved. Raises StateError."""
        self._existing(source, name)
        manifest = _manifest(source)
        for path, expected in manifest["files"].items():
            parts = Path(path).parts
            if Path(path).is_absolute() or ".." in parts or (source / path).is_symlink():
                raise StateError(f"{source}: {path} leads out of the saved state. Save it again.")
            if not (source / path).is_file() or _checksum(source / path) != expected:
                raise StateError(
                    f"{source / path} is not as it was saved. Save the state again, or delete it:"
                    f" groundfog state delete {name}"
                )
        return manifest

    def _saved(self, path: Path) -> Saved:
        manifest = _manifest(path)
        sizes = [(path / each).stat().st_size for each in manifest["files"]]
        return Saved(path.name, manifest["saved"], sum(sizes), len(sizes))


def _manifest(path: Path) -> dict[str, Any]:
    try:
        found = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            raise StateError(
                f"{path} was saved by another version of Groundfog"
                f" (format {found['version']}; this one reads {VERSION})."
            )
        assert isinstance(found["files"], dict) and isinstance(found["saved"], str)
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        raise StateError(f"{path / MANIFEST} cannot be read. Save the state again.") from None
    return dict(found)


def copy_of(state: State, folder: Path) -> State:
    """Return a copy of a state that nobody uses. Raises StateError when it is in use."""
    folder.mkdir()
    with state.locked():
        for part in _parts(state.directory):
            _copy(part, folder / part.name)
    return State(folder)


def _parts(directory: Path) -> Iterator[Path]:
    """Yield the files and folders of a state that last."""
    for name in (*CONTENTS, *(each for kind in KINDS for each in kind.files)):
        path = directory / name
        if path.exists() and not path.is_symlink():
            yield path


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copyfile(source, target)


def _files(folder: Path) -> list[str]:
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ignored(folder: Path) -> None:
    """Keep saved states out of git: they may hold secrets."""
    path = folder / ".gitignore"
    if not path.exists():
        replace_file(path, "*\n")
