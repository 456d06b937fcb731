"""The project's `alias`: imports that are to mean another package or file.

Source: docs/platform/bundling.md, "alias, define and tsconfig".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from emulator.bundling.hooks import Hooks, Import, failure
from emulator.bundling.service import Message


def add_hooks(hooks: Hooks, alias: Mapping[str, str], project_dir: Path) -> None:
    """Let imports of the names in `alias` mean what it says, seen from the project's folder."""
    if not alias:
        return

    async def replace(found: Import) -> Message | None:
        target = alias[found.path]
        wanted = Import(target, found.importer, str(project_dir), found.kind)
        path = await hooks.resolve(wanted)
        if path is None:
            return failure(
                f'Could not resolve "{target}", which is what "alias" in the configuration has for'
                f' "{found.path}"'
            )
        return {"path": path}

    hooks.on_resolve(f"^({'|'.join(map(re.escape, alias))})$", replace)
