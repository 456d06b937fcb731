"""The commands that install a project's packages into its `.venv`: uv's, else pip's.

uv reads `[tool.uv.sources]` and its other settings itself. For pip they become requirements and
options; what pip cannot do is refused with the advice to use uv.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from msgspec import Struct

from emulator.errors import UsageError
from emulator.packages.declared import Declared, Requirement


class Wishes(Struct, frozen=True):
    """What a person wants of an installation. The names are the options of uv and pip."""

    upgrade: bool = False
    no_index: bool = False
    find_links: tuple[str, ...] = ()
    index_url: str | None = None

    def arguments(self) -> Iterator[str]:
        """Yield them as arguments that uv and pip understand alike."""
        if self.upgrade:
            yield "--upgrade"
        if self.no_index:
            yield "--no-index"
        for place in self.find_links:
            yield from ("--find-links", place)
        if self.index_url is not None:
            yield from ("--index-url", self.index_url)


def find_uv() -> str | None:
    """Return uv's path: beside this interpreter, else on PATH."""
    beside = shutil.which("uv", path=str(Path(sys.executable).parent))
    return beside or shutil.which("uv")


def creation(uv: str | None, environment: Path, python: Path) -> list[str]:
    """Return the command that makes a virtual environment for `python`."""
    if uv is not None:
        return [uv, "venv", "--quiet", "--python", str(python), str(environment)]
    # pip's own copy in it would take longer than all the rest: ours installs into it
    return [str(python), "-m", "venv", "--without-pip", str(environment)]


def installation(uv: str | None, declared: Declared, python: Path, wishes: Wishes) -> list[str]:
    """Return the command that installs what is declared for `python`; it runs beside its file.

    Raises UsageError for what needs uv, when uv is None.
    """
    if uv is not None:
        command = [uv, "pip", "install", "--python", str(python), *wishes.arguments()]
        return [*command, "--requirements", declared.path.name]
    if find_spec("pip") is None:
        raise _needs_uv(declared, "neither uv nor pip was found")
    if declared.is_dynamic:
        raise _needs_uv(declared, "[project] dynamic has dependencies")
    wanted = [word for each in declared.requirements for word in _for_pip(each, declared)]
    command = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    command.append("--disable-pip-version-check")
    return [*command, *_uv_settings(declared), *wishes.arguments(), *wanted]


def _uv_settings(declared: Declared) -> Iterator[str]:
    uv, folder = declared.uv, declared.path.parent
    for table in (uv, uv.get("pip", {})):
        if table.get("no-index"):
            yield "--no-index"
        for place in table.get("find-links", []):
            yield from ("--find-links", place if "://" in place else str(folder / place))
    for index in uv.get("index", []):
        if index.get("explicit"):  # for the packages that name it in their source
            continue
        yield from ("--index-url" if index.get("default") else "--extra-index-url", index["url"])


def _for_pip(requirement: Requirement, declared: Declared) -> Iterator[str]:
    source = declared.sources.get(requirement.name)
    if source is None:
        yield requirement.text
        return
    place = _place(source, requirement.name, declared)
    if source.get("editable"):
        yield from ("--editable", f"{place.removeprefix('file://')}{requirement.extras}")
        return
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    yield f"{requirement.name}{requirement.extras} @ {place}{marker}"


def _place(source: Any, name: str, declared: Declared) -> str:
    """Return where a source of uv is, as the URL of a requirement."""
    match source:
        case {"path": str(path)}:
            return (declared.path.parent / os.path.expanduser(path)).resolve().as_uri()
        case {"git": str(url)}:
            wanted = source.get("rev") or source.get("tag") or source.get("branch")
            inside = source.get("subdirectory")
            return (
                f"git+{url}" + (f"@{wanted}" if wanted else "")
                + (f"#subdirectory={inside}" if inside else "")
            )  # fmt: skip
        case {"url": str(url)}:
            return url
    raise _needs_uv(declared, f"[tool.uv.sources] {name} is {source!r}")


def _needs_uv(declared: Declared, found: str) -> UsageError:
    return UsageError(
        f"{declared.path}: {found}. This needs uv: https://docs.astral.sh/uv/, or "
        f"{sys.executable} -m pip install uv"
    )
