"""Storages of objects for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bindings.durable_objects.storage import Storage
from bindings.durable_objects.syncing import Syncing
from bindings.durable_objects.user_sql import TooSlow

TEXTS = [["a", "1"], ["b", "2"], ["ä", '"x"'], ["b\0", "3"]]


def storage(path: Path, syncing: Syncing, **options: Any) -> Storage:
    """Return the storage of an object, durable as by default."""
    return Storage(path / "object.sqlite", "FULL", syncing, **options)


def ran(opened: Storage, sql: str, *params: Any) -> list[Any]:
    """Run SQL as the host does; return what it answers."""
    try:
        return opened.call("exec", [sql, list(params)])  # type: ignore[no-any-return]
    except TooSlow:
        return opened.call_long("exec", [sql, list(params)])  # type: ignore[no-any-return]
