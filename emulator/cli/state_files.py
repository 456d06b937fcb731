"""A saved state as one file, to pass on: a zip archive with the files and their checksums.

A file may come from a stranger. So it is read with limits, takes no path that leads elsewhere, and
nothing in it is opened before it is known to be what it says: whole, with the checksums of its
manifest, and with our own databases free of triggers and views.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

from emulator.disk import replace_file
from emulator.errors import StateError
from emulator.kinds.registry import KINDS
from emulator.sqlite import only_tables
from emulator.state import CONTENTS

VERSION = 1
MANIFEST = "saved.json"
FILES_MAX = 100_000
BYTES_MAX = 8 * 1024**3
MANIFEST_MAX_BYTES = 32 * 1024**2
_CHUNK = 1024 * 1024
_USERS = ("d1", "do")  # databases with the user's own schema


def belongs_to_a_state(path: str) -> bool:
    """Whether a path is one of a state's files, below its folder."""
    parts = path.split("/")
    tops = {*CONTENTS, *(each for kind in KINDS for each in kind.files)}
    odd = any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts)
    return parts[0] in tops and not odd


def export(saved: Path, manifest: dict[str, Any], target: Path) -> None:
    """Write a saved state, whose manifest was checked, as one file; an old one is replaced."""
    making = target.with_name(f".{target.name}.new")
    with zipfile.ZipFile(making, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2))
        for path in sorted(manifest["files"]):
            archive.write(saved / path, path)
    os.replace(making, target)


def unpack(file: Path, target: Path) -> None:
    """Make a saved state of a file, in a folder that is not there yet. Raises StateError."""
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _manifest(archive, file)
            _check_names(archive, manifest, file)
            for path, checksum in manifest["files"].items():
                _unpack_one(archive, path, checksum, target, file)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        shutil.rmtree(target, ignore_errors=True)
        raise StateError(f"{file} cannot be read: {error}") from None
    except StateError:
        shutil.rmtree(target, ignore_errors=True)
        raise
    replace_file(target / MANIFEST, json.dumps(manifest, indent=2))


def _manifest(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    try:
        entry = archive.getinfo(MANIFEST)
    except KeyError:
        raise StateError(f"{file} was not made by groundfog state export.") from None
    if entry.file_size > MANIFEST_MAX_BYTES:
        raise StateError(f"{file}: {MANIFEST} is too large to be one.")
    try:
        manifest = json.loads(archive.read(entry))
        files, version = manifest["files"], manifest["version"]
        fits = isinstance(manifest["saved"], str) and isinstance(files, dict)
        fits = fits and all(isinstance(sum, str) for sum in files.values())
    except (ValueError, KeyError, TypeError, RecursionError):
        fits, version = False, VERSION
    if version != VERSION:
        raise StateError(
            f"{file} has format {version!r}; this version of Groundfog reads {VERSION}."
        )
    if not fits:
        raise StateError(f"{file}: {MANIFEST} is damaged.")
    return dict(manifest)


def _check_names(archive: zipfile.ZipFile, manifest: dict[str, Any], file: Path) -> None:
    """Refuse files that are not named, lead elsewhere, or are too many or too large."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if sorted(names) != sorted([MANIFEST, *manifest["files"]]):
        raise StateError(f"{file}: its files are not those of {MANIFEST}.")
    for entry in entries:
        path, mode = entry.filename, entry.external_attr >> 16
        is_file = not stat.S_IFMT(mode) or stat.S_ISREG(mode)
        if path != MANIFEST and (not is_file or not belongs_to_a_state(path)):
            raise StateError(f"{file}: {path!r} does not belong into a state.")
    size = sum(entry.file_size for entry in entries)
    if len(entries) > FILES_MAX or size > BYTES_MAX:
        raise StateError(f"{file}: {len(entries)} files with {size:,} bytes are too many.")


def _unpack_one(
    archive: zipfile.ZipFile, path: str, checksum: str, target: Path, file: Path
) -> None:
    """Write one file while its checksum is made; it may not be larger than it says."""
    made = target / path
    made.parent.mkdir(parents=True, exist_ok=True)
    summed, left = hashlib.sha256(), archive.getinfo(path).file_size
    with archive.open(path) as source, made.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise StateError(f"{file}: {path} is larger than it says.")
            summed.update(chunk)
            sink.write(chunk)
    if summed.hexdigest() != checksum:
        raise StateError(f"{file}: {path} is not as it was exported.")


def check_databases(folder: Path, shown: Path) -> None:
    """Refuse databases of ours that are damaged, or have more than tables. Raises StateError.

    They are looked at in `folder`, which may change; D1's may have any schema.
    """
    for path in sorted(folder.rglob("*.sqlite")):
        within = path.relative_to(folder)
        if within.parts[0] in _USERS:
            continue
        try:
            with closing(sqlite3.connect(path)) as connection:
                fine = only_tables(connection)
        except sqlite3.Error as error:
            raise StateError(f"{shown}: {within} is damaged: {error}") from None
        if not fine:
            raise StateError(f"{shown}: {within} has triggers or views, which no state has.")
