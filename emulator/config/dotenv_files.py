"""Which of `.dev.vars`, `.env` and the process's variables a worker sees, and their priority.

Source: docs/platform/configuration.md, "Variables and secrets".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emulator.config.dotenv_syntax import EndlessExpansion, expand, parse_dotenv
from emulator.config.problems import Fault, Report, quoted
from emulator.config.text_files import read_text, shown_path

LOAD_DOT_ENV = "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV"
INCLUDE_PROCESS_ENV = "CLOUDFLARE_INCLUDE_PROCESS_ENV"


@dataclass(frozen=True, slots=True)
class EnvFiles:
    """Where to look: beside the configuration, or exactly the `given` files (`--env-file`)."""

    project_dir: Path
    start_dir: Path
    environment: str | None
    given: Sequence[Path]

    def dev_vars(self) -> list[Path]:
        """Return the `.dev.vars` candidates, of which the first that exists is read alone."""
        if self.given:
            return []
        names = [f".dev.vars.{self.environment}"] if self.environment else []
        return [self.project_dir / name for name in (*names, ".dev.vars")]

    def dot_env(self) -> list[Path]:
        """Return the `.env` candidates; all that exist are merged, later ones have priority."""
        if self.given:
            return [Path(os.path.abspath(self.project_dir / path)) for path in self.given]
        names = [".env", ".env.local"]
        if self.environment:
            names += [f".env.{self.environment}", f".env.{self.environment}.local"]
        return [self.project_dir / name for name in names]


@dataclass(frozen=True, slots=True)
class Secrets:
    """The values in the files. `shown` is the file each name was read from."""

    values: dict[str, str] = field(repr=False)
    shown: dict[str, str]


def load_secrets(
    files: EnvFiles, process_env: Mapping[str, str], report: Report, *, always_include_env: bool
) -> Secrets:
    """Return the secrets for the worker.

    `always_include_env`: take the process's variables as well, as `secrets.required` asks for
    (those of `.dev.vars` still have priority).
    """
    include_env = _flag(process_env, INCLUDE_PROCESS_ENV, False, report) or always_include_env
    load_dot_env = _flag(process_env, LOAD_DOT_ENV, True, report)
    outside = dict(process_env) if include_env else {}
    for path in files.dev_vars():
        if os.path.exists(path):
            values = _read(path, files, report)
            shown = dict.fromkeys(values, shown_path(path, files.start_dir))
            if not always_include_env:
                return Secrets(values, shown)
            return Secrets({**outside, **values}, {**_from_process(outside), **shown})
    if not load_dot_env:
        return Secrets(outside, _from_process(outside))
    return _load_dot_env(files, outside, report)


def _load_dot_env(files: EnvFiles, outside: Mapping[str, str], report: Report) -> Secrets:
    merged: dict[str, str] = {}
    shown: dict[str, str] = {}
    for path in files.dot_env():
        if os.path.exists(path):
            values = _read(path, files, report)
            merged |= values
            shown |= dict.fromkeys(values, shown_path(path, files.start_dir))
        elif files.given:
            found = "no such file; it was named with --env-file"
            report.error(
                shown_path(path, files.start_dir),
                found,
                f"Paths are relative to {files.project_dir}.",
            )
    try:
        expanded = expand(merged, outside)
    except EndlessExpansion as error:
        text = f"the value of {error.key} refers to itself without end"
        report.error(shown[error.key], text, "Write \\$ for a plain dollar sign.")
        return Secrets(merged, shown)
    return Secrets({**outside, **expanded}, {**_from_process(outside), **shown})


def _read(path: Path, files: EnvFiles, report: Report) -> dict[str, str]:
    shown = shown_path(path, files.start_dir)
    try:
        values, oddities = parse_dotenv(read_text(path))
    except Fault as fault:
        report.problems.append(fault.problem(shown))
        return {}
    for oddity in oddities:
        report.warn(f"{shown}:{oddity.line}", oddity.text)
    return values


def _from_process(values: Mapping[str, str]) -> dict[str, str]:
    return dict.fromkeys(values, "the environment")


def _flag(process_env: Mapping[str, str], name: str, default: bool, report: Report) -> bool:
    value = process_env.get(name)
    if value is None:
        return default
    if value.lower() not in ("true", "false"):
        found = f'Expected {name} to be "true" or "false", but got {quoted(value)}'
        report.error("environment", found, f"Unset {name}, or set it to one of the two.")
        return default
    return value.lower() == "true"
