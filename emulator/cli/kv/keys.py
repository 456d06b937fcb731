"""`groundfog kv key get|put|list|delete`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bindings.kv import rules
from bindings.kv.kv import Kv, as_text
from bindings.kv.namespace import Listed
from emulator.cli.kv.opening import Chosen, namespace_options
from emulator.cli.output import say, show, show_json
from emulator.errors import UsageError

Choose = Callable[[], Chosen]


@click.command("get")
@click.argument("key")
@click.option("--text", is_flag=True, help="Decode the value as UTF-8, and end it with a newline.")
@namespace_options
def get(choose: Choose, key: str, text: bool) -> None:
    """Print the value of KEY."""
    entry = choose().ask(lambda kv: kv.get(key))
    if entry is None:
        say("Value not found")
        sys.exit(1)
    if text:
        show(as_text(entry.value))
    else:
        click.echo(entry.value, nl=False)


@click.command("put")
@click.argument("key")
@click.argument("value", required=False)
@click.option("--path", type=click.Path(path_type=Path), help="Take the value from this file.")
@click.option("--ttl", type=int, help="Seconds after which it expires.")
@click.option("--expiration", type=int, help="Second since 1970 in which it expires.")
@click.option("--metadata", help="JSON to keep with it.")
@namespace_options
def put(
    choose: Choose,
    key: str,
    value: str | None,
    path: Path | None,
    ttl: int | None,
    expiration: int | None,
    metadata: str | None,
) -> None:
    """Store VALUE, or a file, under KEY."""
    if (value is None) == (path is None):
        raise UsageError("kv key put needs either a VALUE or --path FILE.")
    content = path.read_bytes() if path is not None else rules.as_utf8(value or "")
    if metadata is not None:
        metadata = _json(metadata)
    chosen = choose()
    chosen.ask(lambda kv: kv.put(key, content, expiration, ttl, metadata))
    told = f' with metadata "{metadata}"' if metadata is not None else ""
    what = f'the value "{value}"' if path is None else f'the contents of "{path}"'
    named = f'binding: "{chosen.name}" (id: "{chosen.namespace.id}")'
    say(f'Writing {what} to key "{key}" on namespace {named}{told}.')


@click.command("list")
@click.option("--prefix", default="", help="Only keys that begin with it.")
@click.option("--json", is_flag=True, expose_value=False, hidden=True)
@namespace_options
def list_keys(choose: Choose, prefix: str) -> None:
    """Print the keys as JSON."""
    show_json([_shown(key) for key in choose().ask(lambda kv: _all_keys(kv, prefix))])


@click.command("delete")
@click.argument("key")
@namespace_options
def delete(choose: Choose, key: str) -> None:
    """Delete KEY."""
    chosen = choose()
    chosen.ask(lambda kv: kv.delete(key))
    named = f'binding: "{chosen.name}" (id: "{chosen.namespace.id}")'
    say(f'Deleting the key "{key}" on namespace {named}.')


async def _all_keys(kv: Kv, prefix: str) -> list[Listed]:
    found: list[Listed] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await kv.list_keys(prefix, rules.LIST_MAX_KEYS, cursor)
        found += page.keys
        cursor = page.cursor
    return found


def _shown(key: Listed) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": key.name}
    if key.expires_s is not None:
        shown["expiration"] = key.expires_s
    if key.metadata is not None:
        shown["metadata"] = json.loads(key.metadata)
    return shown


def _json(text: str) -> str:
    """Return JSON in its short form. Raises UsageError."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--metadata is not JSON: {error}") from None
