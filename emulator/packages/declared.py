"""What a project's `pyproject.toml` says about packages: its dependencies and where uv gets them.

Source: https://packaging.python.org/en/latest/specifications/pyproject-toml/;
https://docs.astral.sh/uv/concepts/projects/dependencies/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tomli
from msgspec import Struct, field

from emulator.errors import UsageError

FILE = "pyproject.toml"
_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<extras>\[[^\]]*\])?"
    r"\s*(?P<rest>[^;]*?)\s*(?:;\s*(?P<marker>.*\S))?\s*"
)


class Requirement(Struct, frozen=True):
    """One dependency: `fastapi[all]>=0.100; python_version > "3.11"`.

    name: normalized. rest: a version specifier, or `@ URL`. text: as it was written.
    """

    text: str
    name: str
    extras: str
    rest: str
    marker: str


class Declared(Struct, frozen=True):
    """The dependencies of a project. sources: `[tool.uv.sources]` by normalized name."""

    path: Path
    requirements: tuple[Requirement, ...]
    sources: dict[str, Any] = field(default_factory=dict)
    uv: dict[str, Any] = field(default_factory=dict)
    is_dynamic: bool = False


def find(project: Path) -> Path | None:
    """Return the pyproject.toml of the project: in its folder, else in a folder above."""
    for folder in (project, *project.parents):
        if (path := folder / FILE).is_file():
            return path
    return None


def read(path: Path) -> Declared:
    """Return what a pyproject.toml declares. Raises UsageError when it cannot be understood."""
    try:
        data = tomli.loads(path.read_text(encoding="utf-8"))
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    project = _table(data, "project", path)
    uv = _table(_table(data, "tool", path), "uv", path)
    listed = project.get("dependencies", [])
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise UsageError(
            f"{path}: [project] dependencies is {listed!r}; expected a list of texts, such as "
            '["fastapi>=0.120"]'
        )
    return Declared(
        path,
        tuple(_requirement(text, path) for text in listed),
        {normalized(name): source for name, source in _table(uv, "sources", path).items()},
        uv,
        "dependencies" in project.get("dynamic", []),
    )


def normalized(name: str) -> str:
    """Return the name of a distribution in the form in which equal names are equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirement(text: str, path: Path) -> Requirement:
    found = _REQUIREMENT.fullmatch(text)
    if found is None:
        raise UsageError(
            f"{path}: {text!r} in [project] dependencies is not the name of a package and its "
            'versions, such as "fastapi>=0.120"'
        )
    name, extras, rest, marker = found["name"], found["extras"], found["rest"], found["marker"]
    return Requirement(text, normalized(name), extras or "", rest or "", marker or "")


def _table(data: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name} is {table!r}; expected a table, [{name}]")
    return table
