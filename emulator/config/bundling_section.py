"""The keys that say how TypeScript and JavaScript are bundled; Python workers have only `rules`.

Source: docs/platform/configuration.md, "The worker"; docs/platform/bundling.md, "What wrangler
tells esbuild".
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from emulator.config.environments import Selected
from emulator.config.model import Bundling, CustomBuild, ModuleRule
from emulator.config.problems import quoted
from emulator.config.table import Table
from emulator.config.text_files import is_file
from emulator.errors import UsageError

RULE_TYPES = ("ESModule", "CommonJS", "CompiledWasm", "Text", "Data")
PYTHON_RULE_TYPES = (*RULE_TYPES, "PythonModule", "PythonRequirement")
BUILD_KEYS = ("command", "cwd", "watch_dir")
DEFAULT_WATCH_DIR = "./src"


def read_bundling(selected: Selected, config_dir: Path) -> Bundling:
    """Return how the project is bundled; paths become absolute."""
    reader = _Reader(selected, config_dir)
    usual = Bundling()
    additional = selected.owner("find_additional_modules").boolean("find_additional_modules")
    return Bundling(
        no_bundle=reader.flag("no_bundle", False),
        find_additional_modules=additional,
        base_dir=reader.path("base_dir"),
        preserve_file_names=reader.flag("preserve_file_names", False),
        minify=reader.flag("minify", False),
        keep_names=reader.flag("keep_names", True),
        tsconfig=reader.tsconfig(),
        jsx_factory=selected.owner("jsx_factory").string("jsx_factory") or usual.jsx_factory,
        jsx_fragment=selected.owner("jsx_fragment").string("jsx_fragment") or usual.jsx_fragment,
        alias=reader.alias(),
        define=reader.texts("define", "strings need quotes inside of quotes, as in '\"text\"'"),
        rules=tuple(reader.rules()),
        build=reader.build(),
    )


def read_python_rules(selected: Selected, config_dir: Path) -> tuple[ModuleRule, ...]:
    """Return which files beside its modules a Python worker is deployed with."""
    return tuple(_Reader(selected, config_dir).rules(PYTHON_RULE_TYPES))


def parse_pair_flags(option: str, typed: Iterable[str]) -> dict[str, str]:
    """Return the pairs of `--define NAME:VALUE` or `--alias MODULE:TARGET`. Raises UsageError."""
    found = {}
    for each in typed:
        # A module may have a colon in its name (node:fs), and a value more of them.
        scheme, rest = each[:5], each[5:]
        before, after = (scheme, rest) if scheme == "node:" else ("", each)
        name, colon, value = after.partition(":")
        if not colon or not name:
            example = "VERSION:'\"1.2\"'" if option == "--define" else "lodash:./src/small.ts"
            raise UsageError(
                f"{option} {each}: found no name before a colon. For example {option} {example}"
            )
        found[before + name] = value
    return found


class _Reader:
    def __init__(self, selected: Selected, config_dir: Path) -> None:
        self._selected = selected
        self._config_dir = config_dir

    def flag(self, key: str, default: bool) -> bool:
        value = self._selected.owner(key).boolean(key)
        return default if value is None else value

    def path(self, key: str) -> Path | None:
        value = self._selected.owner(key).string(key)
        return self._absolute(value) if value else None

    def tsconfig(self) -> Path | None:
        path = self.path("tsconfig")
        if path is not None and not is_file(path):
            owner = self._selected.owner("tsconfig")
            shown = f"{owner.name('tsconfig')} is {quoted(owner.data['tsconfig'])}"
            owner.error("tsconfig", f"{shown}, but there is no such file", "Correct the path.")
            return None
        return path

    def texts(self, key: str, hint: str) -> dict[str, str]:
        """Return a table of strings; a value of another type is reported."""
        table = self._selected.owner(key).table(key, f"Write [{key}] with NAME = VALUE below it.")
        found: dict[str, str] = {}
        for name, value in table.data.items() if table is not None else ():
            assert table is not None
            if isinstance(value, str):
                found[name] = value
            else:
                text = f"{table.name(name)} is {quoted(value)}; expected a string"
                table.error(name, text, f"All values of {key} are strings: {hint}.")
        return found

    def alias(self) -> dict[str, str]:
        found = self.texts("alias", "a package, or a path that begins with ./")
        return {
            name: str(self._absolute(target)) if target.startswith(".") else target
            for name, target in found.items()
        }

    def rules(self, types: tuple[str, ...] = RULE_TYPES) -> list[ModuleRule]:
        owner = self._selected.owner("rules")
        example = 'Write rules = [{ type = "Text", globs = ["**/*.md"] }].'
        found = []
        for item in owner.tables("rules", example):
            item.unknown_keys(("type", "globs", "fallthrough"))
            kind = _rule_type(item, types)
            globs = item.strings("globs")
            if "globs" not in item.data:
                item.error(None, f"{item.name()} has no globs; expected an array", example)
            if kind is not None:
                found.append(ModuleRule(kind, globs, item.boolean("fallthrough")))  # type: ignore[arg-type]
        return found

    def build(self) -> CustomBuild | None:
        table = self._selected.owner("build").table("build", "Write [build] with command below it.")
        if table is None:
            return None
        table.unknown_keys((*BUILD_KEYS, "upload"))
        command = table.string("command")
        cwd = self._absolute(table.string("cwd") or ".")
        one = table.data.get("watch_dir")
        watched = (one,) if isinstance(one, str) else table.strings("watch_dir")
        paths = tuple(self._absolute(path) for path in watched or (DEFAULT_WATCH_DIR,))
        return CustomBuild(command, cwd, paths) if command else None

    def _absolute(self, path: str) -> Path:
        return Path(os.path.abspath(self._config_dir / path))


def _rule_type(item: Table, types: tuple[str, ...]) -> str | None:
    if "type" not in item.data:
        item.error(None, f"{item.name()} has no type; expected one of {', '.join(types)}")
        return None
    return item.choice("type", types)
