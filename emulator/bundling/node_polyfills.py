"""Lets wrangler's polyfills stand in for the Node.js modules that workerd does not have.

Source: docs/platform/bundling.md, "Polyfills of Node.js modules".
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from emulator.bundling.hooks import Hooks, Import, failure
from emulator.bundling.service import Message
from emulator.bundling.tools import package_main
from emulator.bundling.unenv import REPLACED_PACKAGES, NoPolyfills, Polyfills

Find = Callable[[], Awaitable[Polyfills]]

_REQUIRED = "required-polyfill"  # the namespace of a polyfill that CommonJS code requires
_GLOBALS = "global-polyfill"  # the namespace of code that sets global variables
# Paths that stand for what unenv says, by number.
_PREFIX = "/_groundfog_globals-"
_FIRST = "/_groundfog_first-"
# A module that is not CommonJS, as `require` would give it.
_AS_COMMONJS = """
import * as all from %s;
const named = Object.entries(all).filter(([name]) => name !== "default");
module.exports = named.reduce(
    (found, [name, value]) => Object.defineProperty(found, name, { value, enumerable: true }),
    "default" in all ? all.default : {},
);
"""


def add_hooks(hooks: Hooks, polyfills: Polyfills) -> None:
    """Let imports mean what unenv says, and let it set global variables."""

    async def find() -> Polyfills:
        return polyfills

    _add_aliases(hooks, polyfills.alias, find)
    modules = _by_module(polyfills)

    async def inject(found: Import) -> Message | None:
        return {"path": found.path, "namespace": _GLOBALS}

    async def run(found: Import) -> Message | None:
        name = polyfills.modules[int(found.path.removeprefix(_FIRST))]
        path = await _resolved(hooks, name, polyfills)
        return {"path": path} if path is not None else failure(f'Could not resolve "{name}"')

    async def load(path: str) -> Message | None:
        module = list(modules)[int(path.removeprefix(_PREFIX))]
        code = _setting_code(await _resolved(hooks, module, polyfills) or module, modules[module])
        return {"contents": code.encode(), "loader": "js", "resolveDir": str(polyfills.folder)}

    hooks.on_resolve(f"^{re.escape(_PREFIX)}[0-9]+$", inject)
    hooks.on_load(".*", load, _GLOBALS)
    hooks.on_resolve(f"^{re.escape(_FIRST)}[0-9]+$", run)


def add_late_hooks(hooks: Hooks, find: Find) -> None:
    """Let the packages that unenv replaces mean what it says; it is asked at the first of them."""
    _add_aliases(hooks, REPLACED_PACKAGES, find)


def add_debug(hooks: Hooks, wrangler: Path | None) -> None:
    """Let the package `debug` be its version for Node.js, if wrangler can import it itself."""
    path = package_main("debug", wrangler) if wrangler is not None else None
    if path is None:
        return

    async def replace(found: Import) -> Message | None:
        return {"path": str(path)}

    hooks.on_resolve("^debug$", replace)


def injected(polyfills: Polyfills) -> list[str]:
    """Return the paths of what runs before everything else, for esbuild's option `inject`."""
    setting = [f"{_PREFIX}{number}" for number in range(len(_by_module(polyfills)))]
    return setting + [f"{_FIRST}{number}" for number in range(len(polyfills.modules))]


def _add_aliases(hooks: Hooks, names: Iterable[str], find: Find) -> None:
    async def replace(found: Import) -> Message | None:
        try:
            polyfills = await find()
        except NoPolyfills:
            return None
        target = polyfills.alias.get(found.path)
        if target is None:
            return None
        if found.kind == "require-call" and target.startswith(("unenv/npm/", "unenv/mock/")):
            return {"path": found.path, "namespace": _REQUIRED}
        if target in polyfills.external:
            return {"path": target, "external": True}
        path = await _resolved(hooks, target, polyfills)
        return {"path": path} if path is not None else None

    async def load(path: str) -> Message | None:
        return {"contents": (_AS_COMMONJS % json.dumps(path)).encode(), "loader": "js"}

    hooks.on_resolve(f"^({'|'.join(map(re.escape, names))})$", replace)
    hooks.on_load(".*", load, _REQUIRED)


async def _resolved(hooks: Hooks, name: str, polyfills: Polyfills) -> str | None:
    return await hooks.resolve(Import(name, "", str(polyfills.folder), "import-statement"))


def _by_module(polyfills: Polyfills) -> dict[str, list[tuple[str, str]]]:
    """Return for each module the names of its exports and the global variables they become."""
    modules: dict[str, list[tuple[str, str]]] = {}
    for variable, told in polyfills.inject.items():
        module, export = (told, "default") if isinstance(told, str) else (told[0], told[1])
        modules.setdefault(module, []).append((export, variable))
    return modules


def _setting_code(path: str, exports: list[tuple[str, str]]) -> str:
    names = ", ".join(f"{export} as value{n}" for n, (export, _) in enumerate(exports))
    lines = [f"import {{ {names} }} from {json.dumps(path)};"]
    lines += [f"globalThis.{variable} = value{n};" for n, (_, variable) in enumerate(exports)]
    return "\n".join(lines)
