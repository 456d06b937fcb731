"""All packages that a project needs, with those that its dependencies need in turn."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from email.parser import HeaderParser
from functools import cache
from pathlib import Path

from emulator.packages.declared import Declared, normalized
from emulator.packages.installed import distributions, is_for_webassembly, site_packages

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRAS = re.compile(r"[A-Za-z0-9._-]+\s*\[([^\]]*)\]")
_EXTRA_MARKER = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


class Dependencies:
    """deployed: normalized names of the distributions that are deployed, as far as it can be told.

    compiled: those among them with binaries, and where this was read. are_ours: the worker runs in
    the Python of Groundfog, whose packages it can import too.
    """

    def __init__(self, declared: Declared | None, interpreter: Path, python_modules: Path) -> None:
        folders = site_packages(interpreter) or []
        self.are_ours = interpreter == Path(sys.executable)
        self._installed = distributions(folders)
        self._vendored = distributions([python_modules])
        self._by_requirement: dict[str, set[str]] = {}
        for each in declared.requirements if declared is not None else ():
            self._by_requirement[each.text] = set()
            self._add(each.name, each.extras, self._by_requirement[each.text])
        self.deployed = set(self._vendored).union(*self._by_requirement.values())

    def owners(self, module: str) -> set[str]:
        """Return the distributions that have this top-level module."""
        return self._modules().get(module, set())

    def compiled(self) -> Iterator[tuple[str, str]]:
        """Yield each deployed distribution with binaries, and the requirement that brings it.

        One whose build for WebAssembly is in `python_modules/` is left out.
        """
        for requirement, names in self._by_requirement.items():
            for name in sorted(names):
                info = self._installed.get(name)
                vendored = self._vendored.get(name)
                if vendored is not None or info is None:
                    continue
                if not is_for_webassembly(info) and _has_binaries(info):
                    yield name, requirement

    def _add(self, name: str, extras: str, found: set[str]) -> None:
        if name in found:
            return
        found.add(name)
        info = self._installed.get(name)
        wanted = {normalized(each.strip()) for each in extras.strip("[]").split(",")}
        for text in _requires(info) if info is not None else ():
            of_extra = {normalized(each) for each in _EXTRA_MARKER.findall(text)}
            named = _NAME.match(text)
            if named is not None and (not of_extra or of_extra & wanted):
                inner = _EXTRAS.match(text)
                self._add(normalized(named[0]), inner[1] if inner else "", found)

    @cache  # noqa: B019  # it lives as long as the command
    def _modules(self) -> dict[str, set[str]]:
        modules: dict[str, set[str]] = {}
        for name, info in (self._installed | self._vendored).items():
            for top in _top_levels(info):
                modules.setdefault(top, set()).add(name)
        return modules


def _requires(info: Path) -> list[str]:
    text = _text(info / "METADATA")
    return HeaderParser().parsestr(text).get_all("Requires-Dist") or []


def _top_levels(info: Path) -> set[str]:
    """Return the top-level modules and packages of a distribution, by the list of its files."""
    files = [line.split(",")[0] for line in _text(info / "RECORD").splitlines()]
    return {
        path.split("/")[0].split(".")[0]
        for path in files
        if path.endswith((".py", ".so", ".pyd")) and not path.startswith(("..", "/"))
    }


def _has_binaries(info: Path) -> bool:
    tags = [line for line in _text(info / "WHEEL").splitlines() if line.startswith("Tag:")]
    return bool(tags) and not any(tag.endswith("-none-any") for tag in tags)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
