"""Which files a bundle depends on: those that were read, and those that would have been."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from emulator.bundling.tools import package_name
from emulator.config.jsonc_source import parse_jsonc
from emulator.config.model import Config
from emulator.config.problems import Fault

_SUFFIXES = (".tsx", ".ts", ".jsx", ".js", ".css", ".json")
# Code that says `./a.js` may mean a TypeScript file.
_WRITTEN_FOR = {
    ".js": (".ts", ".tsx"),
    ".jsx": (".ts", ".tsx"),
    ".mjs": (".mts",),
    ".cjs": (".cts",),
}
_NAMES = ("tsconfig.json", "jsconfig.json")


def absolute(names: Iterable[str], folder: Path) -> set[Path]:
    """Return the files of the names that esbuild reports, without those that are no files."""
    found = (Path(os.path.normpath(folder / name)) for name in names)
    return {path for path in found if path.is_file()}


def tsconfigs(files: Iterable[Path], config: Config) -> set[Path]:
    """Return the tsconfig files that decide how `files` are read, and what they extend.

    The one beside the configuration is among them even if it does not exist yet.
    """
    given = config.bundling.tsconfig
    if given is not None:
        return _with_extended(given)
    found = {config.project_dir / "tsconfig.json"}
    seen: set[Path] = set()
    for file in files:
        for folder in file.parents:
            if folder in seen or "node_modules" in folder.parts:
                break
            seen.add(folder)
            own = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
            if own is not None:
                found |= _with_extended(own)
                break
    return found


def looked_for(path: str, importer: Path, project_dir: Path) -> set[Path]:
    """Return the files that would resolve an import that could not be resolved."""
    if not path.startswith((".", "/")):
        modules = project_dir / "node_modules"
        name = package_name(path)
        return {modules / name if modules.is_dir() else modules}
    path = path.partition("?")[0]
    base = os.path.normpath(importer.parent / path)
    stem, suffix = os.path.splitext(base)
    names = [base, *(base + each for each in _SUFFIXES)]
    names += [os.path.join(base, f"index{each}") for each in _SUFFIXES]
    names += [stem + each for each in _WRITTEN_FOR.get(suffix, ())]
    return {Path(name) for name in names}


def _with_extended(tsconfig: Path, depth: int = 0) -> set[Path]:
    """Return a tsconfig and all that it extends; one that cannot be read stands alone."""
    files = {tsconfig}
    try:
        extended = parse_jsonc(tsconfig.read_text(encoding="utf-8-sig")).data.get("extends")
    except (OSError, ValueError, Fault, AttributeError):
        return files
    for name in extended if isinstance(extended, list) else [extended]:
        if isinstance(name, str) and depth < 20:
            for found in _extended(name, tsconfig.parent):
                files |= _with_extended(found, depth + 1)
    return files


def _extended(name: str, folder: Path) -> list[Path]:
    if name.startswith((".", "/")):
        places = [folder / name]
    else:
        places = [each / "node_modules" / name for each in (folder, *folder.parents)]
    for place in places:
        for found in (place, place.with_name(f"{place.name}.json"), place / "tsconfig.json"):
            if found.is_file():
                return [Path(os.path.normpath(found))]
    return []
