"""What is in a state, as lines by what they are about: to compare states, and runs of a test."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from bindings.d1.export import dump_rows, reading
from bindings.kv.namespace import every_entry
from bindings.r2.index import every_object
from emulator.config.model import Config
from emulator.engine.journal.journal import Journal
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.plain import plain
from emulator.kinds.d1 import Database
from emulator.kinds.kv import Namespace
from emulator.kinds.r2 import BucketRecord
from emulator.state import State

Contents = dict[str, list[str]]  # "table orders of DB" -> its rows as SQL


def contents(config: Config, state: State) -> Contents:
    """Return the rows of D1, the entries of KV and the objects of R2."""
    return {**_tables(config, state), **_keys(config, state), **_objects(config, state)}


def whole(config: Config, state: State) -> Contents:
    """Return the same with the instances of workflows, of a state that nobody uses."""
    found = contents(config, state)
    if state.journal.exists():
        journal = Journal.open_to_read(state.journal)
        try:
            for row in journal.every():
                about = f"instance {row.workflow} / {row.id}"
                found[about] = instance_lines(journal.fold(row, whole=True))
        finally:
            journal.close()
    return found


def differences(one: Contents, other: Contents) -> Iterator[str]:
    """Yield lines: what something is about, and what only one (-) and the other (+) have."""
    for name in sorted(one.keys() | other.keys()):
        first, second = one.get(name, []), other.get(name, [])
        if first != second:
            yield name
            for line in list(difflib.unified_diff(first, second, lineterm="", n=0))[2:]:
                if not line.startswith("@@"):
                    yield f"  {line}"


def instance_lines(instance: Instance) -> list[str]:
    """Return what an instance came to."""
    lines = [f"status: {instance.status}"]
    if instance.status is Status.COMPLETE:
        lines.append(f"output: {plain(instance.output)!r}")
    if instance.error is not None:
        lines.append(f"error: {instance.error.name}: {instance.error.message}")
    return lines


def _tables(config: Config, state: State) -> Contents:
    """Return the rows of every table of D1, as SQL, without those of migrations."""
    found: Contents = {}
    for bound in config.bound(Database):
        path = bound.record.path(state)
        if not path.exists():
            continue
        with reading(path) as connection:
            tables = dump_rows(connection, but=[bound.record.migrations.table])
        found |= {f"table {name} of {bound.name}": sorted(rows) for name, rows in tables.items()}
    return found


def _keys(config: Config, state: State) -> Contents:
    found = {}
    for bound in config.bound(Namespace):
        found[f"keys of {bound.name}"] = sorted(
            f"{key.decode(errors='replace')}: {value!r}" + (f" {metadata}" if metadata else "")
            for key, value, metadata in every_entry(bound.record.path(state))
        )
    return found


def _objects(config: Config, state: State) -> Contents:
    """Return the objects of R2, with the checksums of what is in them."""
    found = {}
    for bound in config.bound(BucketRecord):
        found[f"objects of {bound.name}"] = sorted(
            f"{key.decode(errors='replace')}: {size} bytes, {etag} {http} {custom}"
            for key, size, etag, http, custom in every_object(bound.record.folder(state))
        )
    return found
