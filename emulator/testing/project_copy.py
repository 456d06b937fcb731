"""A copy of a project, whose files a test changes: the user's own stay as they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from emulator.state import DIRECTORY_NAME
from emulator.testing.options import Options
from emulator.testing.refusals import Refused

# Installed packages are not copied: a link leads to them.
LINKED = frozenset({".venv", "venv", "node_modules", "python_modules", ".venv-workers"})
LEFT_OUT = frozenset({DIRECTORY_NAME, ".git", "__pycache__", ".pytest_cache", ".wrangler"})
COPIED_MAX_FILES = 20_000


class ProjectCopy(Struct, frozen=True):
    """The copy: its folder, and the options that lead to it."""

    folder: Path
    options: Options

    @classmethod
    def of(cls, options: Options, project_dir: Path, place: Path) -> ProjectCopy:
        """Copy a project to a folder in `place`. Raises Refused."""
        folder = place / "project"
        _copy(project_dir, folder)
        config = options.config
        if config:
            path = Path(config)
            if not path.is_relative_to(project_dir):
                raise Refused(f"{config} is outside of the project, so this worker has no copy.")
            config = str(folder / path.relative_to(project_dir))
        return cls(folder, replace(options, project=str(folder), config=config))

    def write(self, files: Mapping[str, str | None]) -> frozenset[Path]:
        """Write files, or delete those whose text is None; return their paths. Raises Refused."""
        changed = set()
        for name, text in files.items():
            path = Path(os.path.normpath(self.folder / name))
            if not path.is_relative_to(self.folder):
                raise Refused(f"{name} is outside of the project; paths are relative to it.")
            try:
                if text is None:
                    path.unlink()
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, "utf-8")
            except OSError as error:
                raise Refused(f"{name} cannot be written: {error.strerror}") from None
            changed.add(path.resolve())
        return frozenset(changed)


def _copy(source: Path, target: Path) -> None:
    count = 0

    def left_out(folder: str, names: list[str]) -> set[str]:
        nonlocal count
        count += len(names)
        if count > COPIED_MAX_FILES:
            raise Refused(
                f"{source} has more than {COPIED_MAX_FILES} files, so it is not copied for edit()."
            )
        linked = LINKED & set(names)
        for name in linked:
            place = target / Path(folder).relative_to(source)
            place.mkdir(parents=True, exist_ok=True)
            (place / name).symlink_to(Path(folder, name))
        return {*linked, *LEFT_OUT}

    shutil.copytree(source, target, ignore=left_out, symlinks=True, dirs_exist_ok=True)
