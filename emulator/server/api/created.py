"""What was created over REST and is not in the configuration: `created.json` of the state.

A worker can bind it as soon as its configuration names it, as after `wrangler kv namespace create`:
its data is where the configuration would have it. What is in the configuration is not deleted here.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from emulator.disk import refusal, replace_file
from emulator.errors import StateError
from emulator.kinds.kind import Kind, Record
from emulator.server.api.envelope import INTERNAL, ApiError
from emulator.server.api.parameters import bad
from emulator.worker import Worker

Entry = dict[str, Any]
_BESIDE = ("", "-wal", "-shm")  # a database and its logs


def created(worker: Worker, kind: Kind) -> dict[str, Entry]:
    """Return what was created of a kind, by id or name. Raises StateError."""
    return _read(worker.state.created).get(kind.name, {})


def add(worker: Worker, kind: Kind, key: str, entry: Entry) -> None:
    """Remember something, durably. Raises StateError."""
    found = _read(worker.state.created)
    found.setdefault(kind.name, {})[key] = entry
    _write(worker.state.created, found)


def forget(worker: Worker, kind: Kind, key: str) -> None:
    """Something was deleted. Raises StateError."""
    found = _read(worker.state.created)
    found.get(kind.name, {}).pop(key, None)
    _write(worker.state.created, found)


async def delete(worker: Worker, kind: Kind, key: str, record: Record, path: Path) -> None:
    """Forget something, and delete its data. Raises ApiError for what is in the configuration."""
    if any(bound.record == record for bound in worker.config.bindings):
        text = f"{key} is in the configuration. Remove it there, before you delete it."
        raise ApiError(400, INTERNAL, text)
    forget(worker, kind, key)
    await worker.bindings.discard(kind, record, worker.config)
    try:
        if path.is_dir():
            shutil.rmtree(path)
        for suffix in _BESIDE:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise ApiError(500, INTERNAL, refusal(path, "cannot be deleted", error)) from None


def text_of(body: dict[str, Any], name: str) -> str:
    """Return a text that a body must have. Raises ApiError."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise bad(f"{name} is missing; expected a text")
    return value


def _read(path: Path) -> dict[str, dict[str, Entry]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StateError(f"{path}: cannot be read ({error}). Delete it to go on.") from error
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise StateError(f"{path}: is not what was created over REST. Delete it to go on.")
    return found


def _write(path: Path, found: dict[str, dict[str, Entry]]) -> None:
    try:
        replace_file(path, json.dumps(found, indent=2))
    except OSError as error:
        raise StateError(refusal(path, "cannot be written", error)) from error
