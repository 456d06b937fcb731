"""Finds the wrangler configuration file, as wrangler does.

Source: docs/platform/configuration.md, "Finding the file".
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct, field

from emulator.config.problems import Fault, Report, quoted
from emulator.config.text_files import is_file, read_text, shown_path

NAMES = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")
SUFFIXES = (".json", ".jsonc", ".toml")
REDIRECT = Path(".wrangler/deploy/config.json")

_MINIMAL = (
    "Begin a project there with `groundfog init`, or create wrangler.toml, for example:\n"
    '    name = "my-worker"\n'
    '    main = "src/entry.py"\n'
    '    compatibility_date = "2026-08-01"\n'
    '    compatibility_flags = ["python_workers"]'
)


class Location(Struct):
    """Where the configuration is. `path` differs from `user_path` when a build tool redirects."""

    user_path: Path
    path: Path
    probed: list[Path] = field(default_factory=list)

    @property
    def project_dir(self) -> Path:
        """The directory of the file the user wrote: state, `.dev.vars` and groundfog.toml."""
        return self.user_path.parent

    @property
    def is_redirected(self) -> bool:
        """Whether a generated configuration is used in place of the user's."""
        return self.path != self.user_path


class NotFound(Fault):
    """No configuration was found; `probed` lists the files looked for."""

    def __init__(self, text: str, fix: str, shown: str, probed: list[Path]) -> None:
        super().__init__(text, fix)
        self.shown = shown
        self.probed = probed


def locate(start_dir: Path, config_path: Path | None, report: Report) -> Location:
    """Return the configuration file to use: `config_path` as it is, else the one found upwards.

    `wrangler.json` is looked for in `start_dir` and every directory above it before
    `wrangler.jsonc` is looked for at all, and so on. Raises NotFound.
    """
    start = _absolute(start_dir)
    if config_path is not None:
        path = _absolute(start / config_path)
        if path.suffix not in SUFFIXES:
            text = f"the file name ends in {quoted(path.suffix)}; expected .toml, .json or .jsonc"
            raise NotFound(text, "", shown_path(path, start), [path])
        return Location(path, path, [path])
    if not os.path.isdir(start):
        text = "is not a directory; expected the directory of a worker"
        raise NotFound(text, "Use --config for a single file.", str(start_dir), [start])
    found = _find_upwards(start)
    if found is None:
        raise _nothing_found(start)
    location = Location(found, found, _probed(start, found))
    _warn_about_a_nearer_file(start, found, report)
    _follow_redirect(start, location)
    return location


def _absolute(path: Path) -> Path:
    # Not `resolve`: a project behind a symbolic link keeps the name that its user knows.
    return Path(os.path.abspath(path))


def _find_upwards(start: Path) -> Path | None:
    for name in NAMES:
        for directory in (start, *start.parents):
            if is_file(directory / name):
                return directory / name
    return None


def _probed(start: Path, found: Path) -> list[Path]:
    """Return the candidates from `start` up to the found file's directory, all names."""
    probed = []
    for directory in (start, *start.parents):
        probed += [directory / name for name in NAMES]
        if directory == found.parent:
            break
    return probed


def _nothing_found(start: Path) -> NotFound:
    probed = [start / name for name in NAMES]
    directories = [path.name for path in probed if path.is_dir()]
    text = "found no wrangler.json, wrangler.jsonc or wrangler.toml here or in any directory above"
    if directories:
        text += f" ({directories[0]} is a directory; expected a file)"
    return NotFound(text, _MINIMAL, str(start), probed)


def _warn_about_a_nearer_file(start: Path, found: Path, report: Report) -> None:
    for directory in (start, *start.parents):
        if directory == found.parent:
            return
        for name in NAMES:
            if is_file(directory / name):
                nearer = shown_path(directory / name, start)
                report.warn(
                    shown_path(found, start),
                    f"is used although {nearer} is nearer: {found.name} is looked for in every "
                    f"directory above before {name}",
                    f"Pass --config {nearer} to use the nearer one.",
                )
                return


def _follow_redirect(start: Path, location: Location) -> None:
    pointer = next((d / REDIRECT for d in (start, *start.parents) if is_file(d / REDIRECT)), None)
    if pointer is None:
        return
    location.probed.append(pointer)
    shown = shown_path(pointer, start)
    expected = location.project_dir / REDIRECT
    if pointer != expected:
        raise NotFound(
            f"Found both a user configuration file at {shown_path(location.user_path, start)} and "
            f"a deploy configuration file at {shown}. But these do not share the same base path so "
            "it is not clear which should be used.",
            f"Delete {shown} if it is left over from an earlier build, or pass --config.",
            shown,
            location.probed,
        )
    location.path = _redirect_target(pointer, shown, location.probed)
    location.probed.append(location.path)


def _redirect_target(pointer: Path, shown: str, probed: list[Path]) -> Path:
    try:
        from emulator.config.jsonc_source import parse_jsonc

        target = parse_jsonc(read_text(pointer)).data.get("configPath")
    except Fault as fault:
        where = fault.problem(shown).where
        raise NotFound(fault.text, fault.fix, where, probed) from None
    rebuild = "Run the build that writes it again, or delete it."
    if not isinstance(target, str) or not target:
        text = 'this deploy configuration has no "configPath"; expected the path of a configuration'
        raise NotFound(text, rebuild, shown, probed)
    path = _absolute(pointer.parent / target)
    if not is_file(path):
        text = f"configPath is {quoted(target)}, which does not exist"
        raise NotFound(text, rebuild, shown, [*probed, path])
    if path.suffix not in SUFFIXES:
        text = f"configPath is {quoted(target)}; expected a .toml, .json or .jsonc file"
        raise NotFound(text, rebuild, shown, probed)
    return path
