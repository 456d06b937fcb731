"""Finds the programs that TypeScript and JavaScript workers need: `esbuild` and `workerd`.

Every project that has wrangler installed has both. They are looked up as Node.js would do it, from
the project's folder and upwards; wrangler's own esbuild has priority over another version beside
it. Then come a folder named by GROUNDFOG_TOOLS and what is on PATH. Node.js itself is not needed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from emulator.errors import EmulatorError

TOOLS_VARIABLE = "GROUNDFOG_TOOLS"
_VERSION_TIMEOUT_S = 10.0
_LOCKS = {
    "package-lock.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}


class ToolError(EmulatorError):
    """A program is missing, or is there for another kind of machine. The text says what to run."""


class Program(Struct, frozen=True):
    """What is known of a program before it is looked for.

    scope: how the names of the npm packages with its binaries begin. override: a variable that
    names the binary itself, the same as its own launcher reads. chains: the npm packages to go
    through, from the project to the package of the binary. oldest: the first version that will do.
    """

    name: str
    scope: str
    override: str
    chains: tuple[tuple[str, ...], ...]
    oldest: tuple[int, ...] = ()


ESBUILD = Program(
    "esbuild",
    "@esbuild/",
    "ESBUILD_BINARY_PATH",
    (("wrangler", "esbuild"), ("esbuild",), ()),
    oldest=(0, 23, 0),  # the first that knows es2024
)
WORKERD = Program(
    "workerd",
    "@cloudflare/workerd-",
    "MINIFLARE_WORKERD_PATH",
    (("wrangler", "workerd"), ("wrangler", "miniflare", "workerd"), ("workerd",), ()),
)


class Found(Struct, frozen=True):
    """A program that is there: its version as npm counts it, and where it is."""

    path: Path
    version: str


class Tools(Struct, frozen=True):
    """The programs for one project. wrangler: the folder of that package, if it is installed."""

    esbuild: Found
    workerd: Found
    wrangler: Path | None = None


def find_tools(project_dir: Path, process_env: Mapping[str, str]) -> Tools:
    """Return the programs to use for a project. Raises ToolError, which says what to install."""
    return Tools(
        find_program(ESBUILD, project_dir, process_env),
        find_program(WORKERD, project_dir, process_env),
        next(
            (
                found
                for at in _starts(project_dir, process_env)
                if (found := package("wrangler", at))
            ),
            None,
        ),
    )


def find_program(program: Program, project_dir: Path, process_env: Mapping[str, str]) -> Found:
    """Return where a program is, and its version. Raises ToolError."""
    foreign: list[Path] = []
    old: list[Found] = []
    for found in _candidates(program, project_dir, process_env, foreign):
        if version_numbers(found.version) >= program.oldest:
            return found
        old.append(found)
    if old:
        oldest = ".".join(map(str, program.oldest))
        raise ToolError(
            f"{program.name} {old[0].version} is too old; TypeScript and JavaScript workers need"
            f" {oldest} or later, which comes with wrangler 4. It is {old[0].path}.\n"
            f"  Run `{add_command(project_dir, 'wrangler@4', dev=True)}` in {project_dir}."
        )
    raise ToolError(_missing(program, project_dir, foreign))


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, such as 0.28.2, to compare it with others."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def package(name: str, start: Path) -> Path | None:
    """Return the folder of the npm package that code in `start` would import, links resolved.

    Source: https://nodejs.org/api/modules.html (Loading from node_modules folders).
    """
    for folder in (start, *start.parents):
        found = folder / "node_modules" / name
        if (found / "package.json").is_file():
            return found.resolve()
    return None


def package_name(path: str) -> str:
    """Return the package of an import: `@scope/name` of `@scope/name/part`."""
    return "/".join(path.split("/")[: 2 if path.startswith("@") else 1])


def package_main(name: str, start: Path) -> Path | None:
    """Return the main module of a CommonJS package, as `require` in `start` would find it."""
    folder = package(name, start)
    if folder is None:
        return None
    main = str(_manifest(folder).get("main") or "index.js")
    places = (folder / main, folder / f"{main}.js", folder / main / "index.js")
    return next((place.resolve() for place in places if place.is_file()), None)


def package_version(folder: Path) -> str:
    """Return the version in a package's package.json, or "" when there is none."""
    return str(_manifest(folder).get("version", ""))


def machine_of(program: Program) -> str:
    """Return the end of the name of the npm package with the binary for this machine."""
    system = {"win32": "windows" if program is WORKERD else "win32"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    arm = machine in ("arm64", "aarch64")
    x64 = "64" if program is WORKERD else "x64"
    return f"{system}-{'arm64' if arm else x64 if machine in ('x86_64', 'amd64') else machine}"


def install_command(project_dir: Path) -> str:
    """Return the command that installs what is missing, for the project's own package manager."""
    folder = _package_folder(project_dir)
    if folder is not None and _lists_wrangler(folder):
        return f"{_manager(project_dir)} install"
    return add_command(project_dir, "wrangler", dev=True)


def add_command(project_dir: Path, name: str, *, dev: bool = False) -> str:
    """Return the command that adds a package to the project, `dev` for development only."""
    manager = _manager(project_dir)
    verb = "install" if manager == "npm" else "add"
    option = ("-d " if manager == "bun" else "-D ") if dev else ""
    return f"{manager} {verb} {option}{name}"


def _manager(project_dir: Path) -> str:
    """Return the package manager whose lock file is nearest."""
    for folder in (project_dir, *project_dir.parents):
        for lock, manager in _LOCKS.items():
            if (folder / lock).is_file():
                return manager
    return "npm"


def _package_folder(project_dir: Path) -> Path | None:
    folders = (project_dir, *project_dir.parents)
    return next((folder for folder in folders if (folder / "package.json").is_file()), None)


def _starts(project_dir: Path, process_env: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders from which packages are looked for, in order."""
    yield project_dir.absolute()
    if named := process_env.get(TOOLS_VARIABLE):
        yield Path(named).absolute()
    for command in ("wrangler", "workerd", "esbuild"):
        if on_path := shutil.which(command, path=process_env.get("PATH", "")):
            yield Path(os.path.realpath(on_path)).parent


def _candidates(
    program: Program, project_dir: Path, process_env: Mapping[str, str], foreign: list[Path]
) -> Iterator[Found]:
    """Yield where the program is, best first; `foreign` gets its packages for other machines."""
    if named := process_env.get(program.override):
        remedy = f"Unset {program.override}, or let it name a binary for this machine"
        yield _named(program, Path(named), f"{remedy} ({machine_of(program)}).")
        return
    for start in _starts(project_dir, process_env):
        for chain in program.chains:
            found = _follow(program, chain, start, foreign)
            if found is not None:
                yield found
    if on_path := shutil.which(program.name, path=process_env.get("PATH", "")):
        remedy = f"Run `{install_command(project_dir)}` in {project_dir}"
        yield _named(program, Path(on_path), f"{remedy}, which has priority over PATH.")


def _follow(
    program: Program, chain: tuple[str, ...], start: Path, foreign: list[Path]
) -> Found | None:
    at = start
    for name in chain:
        found = package(name, at)
        if found is None:
            return None
        at = found
    holder = package(program.scope + machine_of(program), at)
    if holder is not None and (binary := holder / "bin" / program.name).is_file():
        return Found(binary, package_version(holder))
    foreign += _foreign(program, at)
    return None


def _foreign(program: Program, at: Path) -> list[Path]:
    """Return the packages with binaries for other machines that code in `at` would find."""
    scope, _, prefix = program.scope.partition("/")
    for folder in (at, *at.parents):
        found = sorted((folder / "node_modules" / scope).glob(f"{prefix}*/bin/{program.name}"))
        if found:
            return [binary.parents[1] for binary in found]
    return []


def _named(program: Program, path: Path, remedy: str) -> Found:
    """Return a program that is known by its path; it is asked for its version."""
    try:
        asked = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{path} cannot be run: {error}.\n  {remedy}") from None
    return Found(path, asked.stdout.strip().removeprefix(program.name).strip())


def _missing(program: Program, project_dir: Path, foreign: list[Path]) -> str:
    command = install_command(project_dir)
    if foreign:
        machines = ", ".join(sorted({folder.name.removeprefix("workerd-") for folder in foreign}))
        return (
            f"{foreign[0].parent} has {program.name} for {machines}, and this machine is"
            f" {machine_of(program)}: it was installed on another machine.\n"
            f"  Delete node_modules and run `{command}` here."
        )
    return (
        f"{program.name} was not found. TypeScript and JavaScript workers need it; it comes with"
        " wrangler.\n"
        f"  Run `{command}` in {project_dir}. Looked for in node_modules there and in every folder"
        f" above, in {TOOLS_VARIABLE} and on PATH."
    )


def _lists_wrangler(folder: Path) -> bool:
    manifest = _manifest(folder)
    listed = [manifest.get(key) for key in ("dependencies", "devDependencies")]
    names = {name for each in listed if isinstance(each, dict) for name in each}
    return bool(names & {"wrangler", "@cloudflare/vite-plugin"})


def _manifest(folder: Path) -> dict[str, Any]:
    """Return a folder's package.json, empty when it cannot be read."""
    try:
        found = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
