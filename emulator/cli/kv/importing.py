"""`groundfog kv import`: copies the namespaces of `wrangler dev`."""

from __future__ import annotations

from pathlib import Path

import click

from bindings.kv.kv import Kv
from bindings.kv.wrangler_state import read_wrangler, wrangler_file
from emulator.cli.kv.opening import Chosen, namespaces
from emulator.cli.local_options import import_options, local_options, wrangler_folder
from emulator.cli.options import ProjectOptions
from emulator.cli.output import show
from emulator.errors import UsageError
from emulator.words import counted


@click.command("import")
@click.argument("name", required=False)
@import_options
@local_options("namespaces")
def import_namespaces(
    options: ProjectOptions,
    name: str | None,
    from_wrangler: bool,
    wrangler_state: Path | None,
    yes: bool,
) -> None:
    """Copy the namespace with the binding NAME, or all, from wrangler's local state.

    wrangler's files stay unchanged. Keys that are here already are kept, or replaced with --yes.
    """
    if not from_wrangler:
        raise UsageError("kv import needs --from-wrangler.")
    wanted = [each for each in namespaces(options) if name in (None, each.name)]
    if not wanted:
        raise UsageError(f"The configuration has no KV namespace with the binding {name}.")
    for each in wanted:
        _import(each, wrangler_folder(each.project, wrangler_state), yes)


def _import(chosen: Chosen, folder: Path, replace: bool) -> None:
    namespace_id = chosen.namespace.id
    if not wrangler_file(folder, namespace_id).is_file():
        show(f"{chosen.name}: wrangler has no such local namespace")
        return

    async def copy(kv: Kv) -> tuple[int, int]:
        found = list(read_wrangler(folder, namespace_id))
        there = [entry is not None for entry in await kv.namespace.get_many([k for k, _ in found])]
        new = [each for each, is_there in zip(found, there, strict=True) if replace or not is_there]
        await kv.namespace.put_many(new)
        return len(new), len(found) - len(new)

    taken, kept = chosen.ask(copy)
    told = f"; {counted(kept, 'key')} that you have already stay (--yes replaces)" if kept else ""
    show(f"✅ {chosen.name}: {counted(taken, 'key')} taken over from {folder}{told}")
