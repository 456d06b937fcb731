"""What the configuration asks for and Groundfog does not emulate: checked, listed, and said once.

The worker still runs; using such a binding raises an error that names it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from emulator.config import keys
from emulator.config.binding_names import BindingNames
from emulator.config.environments import Selected
from emulator.config.model import Bound, Unsupported
from emulator.config.not_emulated import OTHER_KINDS, Other
from emulator.config.problems import listed
from emulator.config.table import Table
from emulator.json_types import Json


def read_unsupported(
    selected: Selected, names: BindingNames, emulated: Collection[str]
) -> list[Bound[Unsupported]]:
    """Return the bindings of kinds that are not emulated; a wrong shape is reported.

    emulated: the sections that kinds of ours read.
    """
    bindings: list[Bound[Unsupported]] = []
    for kind in OTHER_KINDS:
        if kind.section in emulated:
            continue
        owner = selected.owner(kind.section)
        for item in _items(kind, owner, selected.prefix()):
            name = _read_item(kind, item)
            names.add(name, kind.friendly, item.where(kind.name_key))
            if name:
                bindings.append(
                    Bound(name, kind.config_key, Unsupported(kind.friendly, kind.instead))
                )
    return bindings


def warn_about_unsupported(
    selected: Selected,
    bindings: Sequence[Bound[Unsupported]],
    emulated: Collection[str],
) -> None:
    """Name everything that is not emulated in one warning, if there is anything."""
    uses = [
        (selected.owner(key), key)
        for key in sorted(keys.NOT_EMULATED.difference(emulated))
        if not _is_empty(selected.owner(key).data.get(key))
    ]
    uses += _nested_uses(selected)
    if not uses:
        return
    shown = []
    for table, key in uses:
        line = table.source.line((*table.path, key))
        shown.append(f"{table.name(key)} (line {line})" if line else table.name(key))
    fix = "The worker runs without."
    if bindings:
        subject = listed(f"env.{binding.name}" for binding in bindings)
        fix += f" Using {subject} raises an error that says so."
    selected.top.warn(None, f"not emulated yet: {', '.join(shown)}", fix)


def _is_empty(value: Json) -> bool:
    """Return whether a value asks for nothing: `{ "crons": [] }`, as templates have it."""
    if isinstance(value, dict):
        return all(_is_empty(item) for item in value.values())
    return value is None or value == []


def _items(kind: Other, owner: Table, prefix: str) -> list[Table]:
    key = kind.section
    if kind.key:
        section = owner.table(key, f"Write [[{prefix}{kind.config_key}]].")
        if section is None:
            return []
        owner, key = section, kind.key
    if kind.shape == "list":
        example = f'Write [[{prefix}{kind.config_key}]] with {kind.name_key} = "NAME" below it.'
        return owner.tables(key, example)
    example = f"Write [{prefix}{kind.config_key}]: a single object, not a list."
    item = owner.table(key, example)
    return [item] if item is not None else []


def _read_item(kind: Other, item: Table) -> str | None:
    if kind.optional is not None:
        item.unknown_keys({kind.name_key, *kind.required, *kind.optional})
    if kind.name_key == "name" and "binding" in item.data and "name" not in item.data:
        found = f'{item.name()} has "binding"; expected "name" for a {kind.friendly} binding'
        item.error("binding", found, 'Rename the key to "name".')
        return None
    name = item.string(kind.name_key, required=kind.name_required, example="MY_BINDING")
    for key in kind.required:
        item.string(key, required=True, example="…")
    if kind.optional is not None and "remote" in kind.optional:
        item.boolean("remote")
    return name


def _nested_uses(selected: Selected) -> list[tuple[Table, str]]:
    """Return the keys inside emulated sections that change nothing here."""
    uses: list[tuple[Table, str]] = []
    dev = selected.top.data.get("dev")
    if isinstance(dev, dict):
        dev_table = Table(dev, ("dev",), selected.top.source, selected.top.report)
        dev_table.unknown_keys(keys.DEV)
        uses += [(dev_table, key) for key in sorted(keys.DEV_NOT_EMULATED & dev.keys())]
        uses = [use for use in uses if dev[use[1]] != "http"]
    return uses
