"""`groundfog kv bulk get|put|delete`: many keys, in a file of JSON."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bindings.kv import rules
from bindings.kv.kv import Kv, as_text
from bindings.kv.namespace import Entry
from bindings.kv.values import to_json
from emulator.cli.asking import confirm
from emulator.cli.kv.opening import Chosen, namespace_options
from emulator.cli.output import say, show_json
from emulator.errors import UsageError

Choose = Callable[[], Chosen]
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_EXPECTED = 'expected [{"key": "a", "value": "1"}, …]'


@click.command("get")
@click.argument("file", type=_FILE)
@namespace_options
def get(choose: Choose, file: Path) -> None:
    """Print the values of the keys in FILE, a JSON list, as JSON."""
    names = _names(file)

    async def read(kv: Kv) -> dict[str, Any]:
        found = {name: await kv.get(name) for name in names}
        return {
            name: {"value": None if entry is None else as_text(entry.value)}
            for name, entry in found.items()
        }

    show_json(choose().ask(read))


@click.command("put")
@click.argument("file", type=_FILE)
@click.option("--ttl", type=int, help="Seconds after which they expire.")
@click.option("--expiration", type=int, help="Second since 1970 in which they expire.")
@click.option("--metadata", help="JSON to keep with each.")
@namespace_options
def put(
    choose: Choose, file: Path, ttl: int | None, expiration: int | None, metadata: str | None
) -> None:
    """Store the keys of FILE, a JSON list of objects; all of them or none."""
    items = [each if isinstance(each, dict) else {} for each in _list(file)]
    common = {"expiration_ttl": ttl, "expiration": expiration}
    if metadata is not None:
        common["metadata"] = json.loads(metadata)
    given = {name: value for name, value in common.items() if value is not None}

    async def write(kv: Kv) -> None:
        now_s = kv.namespace.now_s()
        entries = [_entry({**given, **item}, place, now_s) for place, item in enumerate(items)]
        await kv.namespace.put_many(entries)

    choose().ask(write)
    say(f"Success! {len(items)} keys are stored.")


@click.command("delete")
@click.argument("file", type=_FILE)
@click.option("--force", "-f", is_flag=True, help="Do not ask.")
@namespace_options
def delete(choose: Choose, file: Path, force: bool) -> None:
    """Delete the keys in FILE, a JSON list."""
    names = _names(file)
    chosen = choose()
    if not force:
        confirm(f"Delete {len(names)} keys of {chosen.name}?")
    chosen.ask(lambda kv: kv.namespace.delete([rules.check_key(name) for name in names]))
    say(f"Success! {len(names)} keys are deleted.")


def _list(file: Path) -> list[Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: {error}") from None
    if not isinstance(found, list):
        raise UsageError(f"{file} is not a JSON list.")
    return found


def _names(file: Path) -> list[str]:
    """Return the keys that a file lists: texts, or objects with `name` or `key`."""
    names = []
    for place, each in enumerate(_list(file)):
        name = each.get("name", each.get("key")) if isinstance(each, dict) else each
        if not isinstance(name, str):
            raise UsageError(f"{file}: item {place} is not a key")
        names.append(name)
    return names


def _entry(item: dict[str, Any], place: int, now_s: int) -> tuple[bytes, Entry]:
    key, value = item.get("key"), item.get("value")
    if not isinstance(key, str) or not isinstance(value, str):
        raise UsageError(f"item {place} has no key or no value; {_EXPECTED}")
    try:
        content = base64.b64decode(value, validate=True) if item.get("base64") else value.encode()
    except (binascii.Error, ValueError):
        raise UsageError(f"item {place}: the value is not base64") from None
    metadata = None if item.get("metadata") is None else to_json(item["metadata"])
    rules.check_size(len(content))
    rules.check_metadata(metadata)
    expires_s = rules.expires_s(item.get("expiration"), item.get("expiration_ttl"), now_s)
    return rules.check_key(key), Entry(content, metadata, expires_s)
