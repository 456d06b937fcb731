"""Names that another environment of the same file has on `env`, and where they are configured.

For hints only: nothing is checked, and what is not shaped as expected is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emulator.config import keys
from emulator.config.environments import Selected
from emulator.config.source import KeyPath
from emulator.json_types import Json

# Their items call the name of a binding `name`.
_NAMED = frozenset({"durable_objects", "ratelimits", "send_email"})
_DEPTH_MAX = 3  # `durable_objects.bindings[0]`


def names_elsewhere(selected: Selected, here: Iterable[str]) -> dict[str, str]:
    """Return names that are not `here`, each with its place.

    `{"DB": "wrangler.toml:9, at the top level"}`; `"wrangler.toml:20, in [env.staging]"`.
    """
    source = selected.top.source
    environments = selected.top.data.get("env")
    scopes: dict[KeyPath, Json] = {(): selected.top.data} if selected.env is not None else {}
    if isinstance(environments, dict):
        scopes |= {
            ("env", name): table
            for name, table in environments.items()
            if name != selected.environment
        }
    known = set(here)
    found: dict[str, str] = {}
    for scope, table in scopes.items():
        which = f"in [env.{scope[1]}]" if scope else "at the top level"
        for name, path in _names(table, scope):
            if name not in known:
                found.setdefault(name, f"{source.where(path)}, {which}")
    return found


def _names(table: Json, scope: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    for section, value in table.items() if isinstance(table, dict) else ():
        if section == "vars" and isinstance(value, dict):
            yield from ((name, (*scope, section, name)) for name in value)
        elif section in keys.NOT_INHERITABLE or section == "assets":
            key = "name" if section in _NAMED else "binding"
            yield from _bindings(value, key, (*scope, section), _DEPTH_MAX)


def _bindings(value: Json, key: str, path: KeyPath, depth: int) -> Iterator[tuple[str, KeyPath]]:
    if depth == 0:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _bindings(item, key, (*path, index), depth - 1)
    elif isinstance(value, dict):
        if isinstance(name := value.get(key), str):
            yield name, (*path, key)
        for inner, item in value.items():
            if isinstance(item, dict | list):
                yield from _bindings(item, key, (*path, inner), depth - 1)
