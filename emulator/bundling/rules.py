"""Which `rules` of a project count, beside wrangler's defaults, and which files they cover.

Imports next to nothing: Python workers ask it at their start.
Source: docs/platform/bundling.md, "Modules that are not JavaScript".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.bundling.globs import of_files
from emulator.config.model import ModuleRule

DEFAULT_RULES = (
    ModuleRule("Text", ("**/*.txt", "**/*.html", "**/*.sql")),
    ModuleRule("Data", ("**/*.bin",)),
    ModuleRule("CompiledWasm", ("**/*.wasm", "**/*.wasm?module")),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that count, those that an earlier one of their type shuts out, and a warning."""

    used: tuple[ModuleRule, ...]
    shut_out: tuple[ModuleRule, ...]
    warnings: tuple[str, ...]


def effective(own: Sequence[ModuleRule]) -> Rules:
    """Return which of the project's rules and of the defaults count.

    The first rule of a type shuts out the later ones, unless it has `fallthrough = true`.
    """
    used: list[ModuleRule] = []
    shut_out: list[ModuleRule] = []
    last: dict[str, ModuleRule] = {}  # by type: the rule that shuts out the later ones
    for rule in (*own, *DEFAULT_RULES):
        if rule.type in last:
            shut_out.append(rule)
            continue
        used.append(rule)
        if rule.fallthrough is not True:
            last[rule.type] = rule
    warnings = [
        _warning(rule, ignored)
        for rule in last.values()
        if rule.fallthrough is None
        and (ignored := [other for other in shut_out if other.type == rule.type])
    ]
    return Rules(tuple(used), tuple(shut_out), tuple(warnings))


def covered(own: Sequence[ModuleRule]) -> list[str]:
    """Return the patterns of the files that the rules cover, below the folder of main."""
    return [of_files(glob) for rule in effective(own).used for glob in rule.globs]


def _warning(rule: ModuleRule, ignored: Sequence[ModuleRule]) -> str:
    others = "".join(
        f"\n  {shown(other)}{' (DEFAULT)' if other in DEFAULT_RULES else ''}" for other in ignored
    )
    return (
        f"The module rule {shown(rule)} does not have a fallback, the following rules will be"
        f" ignored:{others}\n"
        "  Add `fallthrough = true` to rule to allow next rule to be used or `fallthrough = false`"
        " to silence this warning"
    )


def shown(rule: ModuleRule) -> str:
    """Return a rule as messages show it."""
    written: dict[str, object] = {"type": rule.type, "globs": list(rule.globs)}
    if rule.fallthrough is not None:
        written["fallthrough"] = rule.fallthrough
    return json.dumps(written, separators=(",", ":"))
