"""Files that workerd gets as modules of their own: text, data, WebAssembly, and further JavaScript.

Which files these are is said by rules: the project's own, then wrangler's defaults.
Source: docs/platform/bundling.md, "Modules that are not JavaScript".
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path

from msgspec import Struct, field

from emulator.bundling import globs
from emulator.bundling.bundle import Module, ModuleKind
from emulator.bundling.hooks import Hooks, Import, failure
from emulator.bundling.rules import Rules, shown
from emulator.bundling.service import Message
from emulator.config.model import ModuleRule

KINDS: dict[str, ModuleKind] = {
    "ESModule": "esm",
    "CommonJS": "commonjs",
    "CompiledWasm": "wasm",
    "Text": "text",
    "Data": "data",
}


GLOBALS = "module-as-global"  # the namespace of modules that are global variables
_NOT_OF_NAMES = re.compile(r"[^a-zA-Z0-9_$]")


class Collected(Struct):
    """The modules that one build has found beside its main module."""

    modules: dict[str, Module] = field(default_factory=dict)
    files: set[Path] = field(default_factory=set)

    def add(self, name: str, kind: ModuleKind, file: Path, content: bytes) -> None:
        """Add a module, in place of another of its name."""
        self.modules[name] = Module(name, kind, content)
        self.files.add(file)

    def clear(self) -> None:
        """Forget everything: another build begins."""
        self.modules.clear()
        self.files.clear()


class Place(Struct, frozen=True):
    """How modules are named and where they go.

    root: the folder of additional modules; None without `find_additional_modules`. as_globals:
    for a service worker, which gets each module as a global variable of the module's name.
    """

    collected: Collected
    root: Path | None = None
    preserve_file_names: bool = False
    as_globals: bool = False


def add_hooks(hooks: Hooks, rules: Rules, place: Place) -> None:
    """Let esbuild leave imports that fit a rule as they are, and collect their files."""
    for rule in rules.used:
        if rule.type in ("ESModule", "CommonJS") and place.root is None:
            continue
        kind = KINDS[rule.type]

        async def collect(found: Import, kind: ModuleKind = kind) -> Message | None:
            return await _collect(hooks, found, kind, place)

        for glob in rule.globs:
            hooks.on_resolve(globs.of_imports(glob), collect)
    for rule in rules.shut_out:

        async def refuse(found: Import, rule: ModuleRule = rule) -> Message | None:
            return failure(
                f"The file {found.path} matched a module rule in your configuration"
                f" ({shown(rule)}), but was ignored because a previous rule with the same type was"
                " not marked as `fallthrough = true`."
            )

        for glob in rule.globs:
            hooks.on_resolve(globs.of_imports(glob), refuse)

    async def load_global(name: str) -> Message | None:
        return {"contents": f"export default {name};".encode(), "loader": "js"}

    hooks.on_load(".*", load_global, GLOBALS)


def additional_modules(
    root: Path, rules: Rules, without: Sequence[Path], collected: Collected
) -> None:
    """Collect every file below `root` that fits a rule. without: files and folders to leave out."""
    left_out = {os.fspath(path) for path in without}
    patterns = [
        (KINDS[rule.type], re.compile(globs.of_files(glob)))
        for rule in rules.used
        for glob in rule.globs
    ]
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if os.path.join(folder, name) not in left_out)
        for file in sorted(files):
            path = Path(folder, file)
            if os.fspath(path) in left_out:
                continue
            name = path.relative_to(root).as_posix()
            kind = next((kind for kind, pattern in patterns if pattern.search(name)), None)
            if kind is not None:
                collected.add(name, kind, path, path.read_bytes())


async def _collect(hooks: Hooks, found: Import, kind: ModuleKind, place: Place) -> Message | None:
    """Answer an import that fits a rule: where the file is as a module of its own."""
    path = found.path.partition("?")[0]  # `./add.wasm?module`
    beside = Path(os.path.normpath(os.path.join(found.folder, path)))
    if place.root is not None and beside in place.collected.files:
        return {"path": f"./{beside.relative_to(place.root).as_posix()}", "external": True}
    if kind in ("esm", "commonjs"):
        return None
    where = await hooks.resolve(Import(path, found.importer, found.folder, found.kind))
    file = Path(where) if where else beside
    try:
        content = file.read_bytes()
    except OSError:
        return None  # esbuild says that it is not there
    name = _name(path, content, place.preserve_file_names)
    if place.as_globals:
        name = _NOT_OF_NAMES.sub("_", f"./{name}")
        place.collected.add(name, kind, file, content)
        return {"path": name, "namespace": GLOBALS}
    place.collected.add(name, kind, file, content)
    return {"path": f"./{name}", "external": True}


def _name(path: str, content: bytes, preserve_file_names: bool) -> str:
    digest = sha1(content, usedforsecurity=False).hexdigest()
    if not preserve_file_names:
        return f"{digest}-{os.path.basename(path)}"
    name = os.path.normpath(path)
    if os.path.isabs(name) or name.startswith(".."):
        return f"{digest}/{os.path.basename(path)}"
    return name
