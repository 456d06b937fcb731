"""The bindings that are emulated, except workflows: D1, Vectorize, Workers AI.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

import os
from pathlib import Path

from emulator.config import keys
from emulator.config.binding_kinds import EMULATED_FRIENDLY
from emulator.config.binding_names import BindingNames
from emulator.config.environments import Selected
from emulator.config.model import D1Config, VectorizeConfig
from emulator.config.problems import quoted
from emulator.config.table import Table

INDEX_NAME_MAX_BYTES = 64  # docs "Vectorize limits"

_D1_EXAMPLE = '[[d1_databases]] with binding = "DB" and database_name = "my-db" below it.'
_VECTORIZE_EXAMPLE = '[[vectorize]] with binding = "INDEX" and index_name = "my-index" below it.'
_AI_EXAMPLE = 'Write [ai] with binding = "AI" below it: a single object, not a list.'


def read_d1(selected: Selected, names: BindingNames, config_dir: Path) -> tuple[D1Config, ...]:
    """Return the D1 databases; `local_id` is preview id, id or binding, whichever comes first.

    Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/wrangler/src/dev/miniflare/index.ts.
    """
    owner = selected.owner("d1_databases")
    databases = []
    for item in owner.tables("d1_databases", f"Write {_header(selected, _D1_EXAMPLE)}"):
        item.unknown_keys(keys.D1_ITEM)
        binding = item.string("binding", required=True, example="DB")
        names.add(binding, EMULATED_FRIENDLY["d1_databases"], item.where("binding"))
        database_name = item.string("database_name")
        database_id = item.string("database_id")
        preview_id = item.string("preview_database_id")
        migrations_dir = item.string("migrations_dir") or "migrations"
        migrations_table = item.string("migrations_table") or "d1_migrations"
        migrations_pattern = _read_pattern(item)
        _note_remote(item, "D1 database")
        if binding:
            databases.append(
                D1Config(
                    binding,
                    preview_id or database_id or binding,
                    database_name or binding,
                    Path(os.path.abspath(config_dir / migrations_dir)),
                    migrations_table,
                    migrations_pattern,
                )
            )
    return tuple(databases)


def _read_pattern(item: Table) -> str:
    """Return `migrations_pattern` without the folder it must begin with.

    `"migrations/*/migration.sql"` -> `"*/migration.sql"`.
    Source: docs/platform/d1.md, "Migrations".
    """
    pattern = item.string("migrations_pattern")
    if not pattern:
        return "*.sql"
    folder = item.data.get("migrations_dir")
    if not isinstance(folder, str) or not folder:
        item.error(
            "migrations_pattern",
            f"{item.name('migrations_pattern')} is given without migrations_dir",
            "Add migrations_dir, the folder that the pattern begins with.",
        )
        return "*.sql"
    prefix = f"{folder.rstrip('/')}/"
    if not pattern.startswith(prefix) or pattern == prefix:
        found = f"{item.name('migrations_pattern')} is {quoted(pattern)}"
        expected = f'expected one that begins with migrations_dir, such as "{prefix}*.sql"'
        item.error("migrations_pattern", f"{found}; {expected}")
        return "*.sql"
    return pattern[len(prefix) :]


def read_vectorize(selected: Selected, names: BindingNames) -> tuple[VectorizeConfig, ...]:
    """Return the Vectorize indexes."""
    owner = selected.owner("vectorize")
    indexes = []
    for item in owner.tables("vectorize", f"Write {_header(selected, _VECTORIZE_EXAMPLE)}"):
        item.unknown_keys(keys.VECTORIZE_ITEM)
        binding = item.string("binding", required=True, example="INDEX")
        names.add(binding, EMULATED_FRIENDLY["vectorize"], item.where("binding"))
        index_name = item.string("index_name", required=True, example="my-index")
        _note_remote(item, "Vectorize index")
        if index_name and len(index_name.encode()) > INDEX_NAME_MAX_BYTES:
            found = f"{item.name('index_name')} is {quoted(index_name)}"
            item.error("index_name", f"{found}; expected at most {INDEX_NAME_MAX_BYTES} bytes")
        elif binding and index_name:
            indexes.append(VectorizeConfig(binding, index_name))
    return tuple(indexes)


def read_ai(selected: Selected, names: BindingNames) -> str | None:
    """Return the name of the Workers AI binding, or None without one."""
    ai = selected.owner("ai").table("ai", _AI_EXAMPLE)
    if ai is None:
        return None
    ai.unknown_keys(keys.AI)
    binding = ai.string("binding", required=True, example="AI")
    names.add(binding, EMULATED_FRIENDLY["ai"], ai.where("binding"))
    ai.boolean("staging")
    _note_remote(ai, "Workers AI")
    return binding


def _note_remote(item: Table, what: str) -> None:
    if item.boolean("remote"):
        item.warn(
            "remote",
            f"{item.name('remote')} is true, but this {what} is emulated on this machine; "
            "nothing is sent to Cloudflare",
        )


def _header(selected: Selected, example: str) -> str:
    return example.replace("[[", f"[[{selected.prefix()}", 1)
