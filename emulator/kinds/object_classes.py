"""Which classes of Durable Objects a worker has, as its `migrations` or its `exports` say.

A class that was renamed keeps its storage, one that was deleted and made again begins anew, and one
that was transferred has the key that it had in the other worker.
Source: docs/platform/durable-objects.md, "Migrations".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bindings.durable_objects.namespace import ObjectClass
from emulator.config.model import Config
from emulator.config.problems import quoted
from emulator.config.text_files import shown_path
from emulator.kinds.kind import Section


class Classes:
    """The classes of one worker. idle_ms: see `ObjectClass`."""

    def __init__(self, section: Section) -> None:
        self._worker = section.worker_name
        self._idle_ms = section.settings
        self._known: dict[str, tuple[str, bool]] = {}  # name -> unique key, whether it has SQL
        self._deleted: dict[str, int] = {}
        self._origins: dict[str, str] = {}  # unique key -> the worker that it was transferred from
        migrations = section.selected.owner("migrations").data.get("migrations")
        for migration in migrations if isinstance(migrations, list) else ():
            if isinstance(migration, dict):
                self._migrate(migration)
        exports = section.selected.owner("exports").data.get("exports")
        if isinstance(exports, dict):
            self._export(exports)

    def named(self, name: str) -> ObjectClass:
        """Return a class; one that nothing tells of has SQLite storage."""
        key, has_sql = self._known.get(name) or self._new(name, has_sql=True)
        return ObjectClass(name, key, has_sql, self._idle_ms, self._origins.get(key, ""))

    def __iter__(self) -> Iterator[ObjectClass]:
        return (self.named(name) for name in self._known)

    def _migrate(self, migration: Mapping[str, Any]) -> None:
        for name in _texts(migration.get("new_classes")):
            self._known[name] = self._new(name, has_sql=False)
        for name in _texts(migration.get("new_sqlite_classes")):
            self._known[name] = self._new(name, has_sql=True)
        for old, new in _pairs(migration.get("renamed_classes"), "from", "to"):
            self._rename(old, new)
        for each in _dicts(migration.get("transferred_classes")):
            named = _texts([each.get("from_script"), each.get("from"), each.get("to")])
            if len(named) == 3:
                self._transfer(*named, has_sql=True)
        for name in _texts(migration.get("deleted_classes")):
            self._delete(name)

    def _export(self, exports: Mapping[str, Any]) -> None:
        """Read the map `exports`: what each class is, and what became of it."""
        found = {name: each for name, each in exports.items() if isinstance(each, dict)}
        objects = {n: each for n, each in found.items() if each.get("type") == "durable-object"}
        for name, each in objects.items():
            has_sql = each.get("storage") != "legacy-kv"
            script = each.get("transfer_from")
            if each.get("state") == "expecting-transfer" and isinstance(script, str):
                self._transfer(script, name, name, has_sql=has_sql)
            else:
                self._known[name] = self._new(name, has_sql=has_sql)
        for name, each in objects.items():
            renamed_to = each.get("renamed_to")
            if each.get("state") == "deleted":
                self._delete(name)
            elif each.get("state") == "transferred":
                del self._known[name]
            elif each.get("state") == "renamed" and isinstance(renamed_to, str):
                self._rename(name, renamed_to)

    def _new(self, name: str, *, has_sql: bool) -> tuple[str, bool]:
        count = self._deleted.get(name, 0)
        return f"{self._worker}-{name}" + (f"-{count + 1}" if count else ""), has_sql

    def _transfer(self, script: str, old: str, new: str, *, has_sql: bool) -> None:
        key = f"{script}-{old}"
        self._known[new] = key, has_sql
        self._origins[key] = script

    def _rename(self, old: str, new: str) -> None:
        before = self._known.pop(old) if old in self._known else self._new(old, has_sql=True)
        self._known[new] = before

    def _delete(self, name: str) -> None:
        self._known.pop(name, None)
        self._deleted[name] = self._deleted.get(name, 0) + 1


def missing_classes(config: Config, defined: Mapping[str, str]) -> list[str]:
    """Return a message about each bound class that the loaded code does not define.

    defined: the classes that extend DurableObject, and where each stands.
    """
    main = shown_path(config.main, config.project_dir)
    return [
        f"durable_objects: the class of {bound.name} is {quoted(bound.record.name)}, but {main} "
        f"defines no such class. Add class {bound.record.name}(DurableObject)."
        for bound in config.bound(ObjectClass)
        if bound.name and bound.record.name not in defined
    ]


def _texts(given: Any) -> list[str]:
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []


def _pairs(given: Any, first: str, second: str) -> list[tuple[str, str]]:
    pairs = [(each.get(first), each.get(second)) for each in _dicts(given)]
    return [(a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str)]


def _dicts(given: Any) -> list[dict[str, Any]]:
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
