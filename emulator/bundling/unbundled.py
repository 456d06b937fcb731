"""A project with `no_bundle`: its files are modules as they are.

Source: docs/platform/bundling.md, "no_bundle and find_additional_modules".
"""

from __future__ import annotations

from pathlib import Path

from emulator.bundling.bundle import MAIN, Bundle, BundleError, Module
from emulator.bundling.entry import Entry
from emulator.bundling.module_rules import Collected, additional_modules
from emulator.bundling.rules import Rules
from emulator.config.model import Config

# Below the folder of additional modules, what is never a module of the worker.
LEFT_OUT = ("node_modules", ".git", ".wrangler", ".groundfog")


def module_root(config: Config) -> Path:
    """Return the folder that additional modules are named after."""
    return config.bundling.base_dir or config.main.parent


def find_modules(config: Config, rules: Rules, collected: Collected) -> None:
    """Collect the project's additional modules."""
    root = module_root(config)
    without = [config.main, config.path, *(root / name for name in LEFT_OUT)]
    additional_modules(root, rules, without, collected)


def as_they_are(config: Config, rules: Rules, entry: Entry) -> Bundle:
    """Return the entry and the additional modules without change. Raises BundleError.

    A further module named "main" stands for the entry, which keeps its own name: other modules
    import it by that, and its own imports are relative to it.
    """
    try:
        content = config.main.read_bytes()
    except OSError as error:
        raise BundleError(f"{config.main}: {error.strerror}") from None
    collected = Collected()
    if config.bundling.has_additional_modules:
        find_modules(config, rules, collected)
    warnings = rules.warnings + entry.warnings
    inputs = frozenset(collected.files)
    if entry.format == "iife":
        return Bundle(MAIN, (Module(MAIN, "esm", content),), None, inputs, True, warnings)
    if not config.main.is_relative_to(module_root(config)):
        raise BundleError(
            f"main is {config.main}, which is not below base_dir, {module_root(config)}.\n"
            "  Correct base_dir: module names are relative to it."
        )
    name = config.main.relative_to(module_root(config)).as_posix()
    modules = (
        Module(MAIN, "esm", _stand_in(name, entry)),
        Module(name, "esm", content),
        *collected.modules.values(),
    )
    return Bundle(MAIN, modules, None, inputs, False, warnings)


def _stand_in(name: str, entry: Entry) -> bytes:
    lines = [f'export * from "./{name}";']
    if "default" in entry.exports:
        lines.append(f'export {{ default }} from "./{name}";')
    return "\n".join(lines).encode()
