"""What esbuild tells at the end of a build, as a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emulator.bundling import messages, node_builtins
from emulator.bundling.bundle import MAIN, Bundle, BundleError, Module
from emulator.bundling.contexts import Context
from emulator.bundling.hooks import Ask
from emulator.bundling.inputs import absolute, tsconfigs
from emulator.bundling.node_builtins import Mode
from emulator.bundling.packets import Value
from emulator.config.model import Config


async def bundle_of(
    context: Context, ask: Ask, config: Config, mode: Mode, warnings: tuple[str, ...]
) -> Bundle:
    """Return the bundle that `context` has built, with `warnings` in front of its own.

    Raises BundleError when a service worker imports what only modules can import.
    """
    metafile = json.loads(_bytes(context.result["metafile"]))
    files = absolute(metafile["inputs"], config.project_dir)
    inputs = files | context.collected.files | tsconfigs(files, config)
    if context.format == "iife":
        _check_imports(metafile, frozenset(inputs))
    outputs = _outputs(context.result["outputFiles"])
    shown = await messages.shown_messages(ask, context.result["warnings"], are_warnings=True)
    if mode in ("none", "als"):
        shown += tuple(
            node_builtins.warning(path, importers)
            for path, importers in sorted(context.warned.items())
        )
    return Bundle(
        MAIN,
        (Module(MAIN, "esm", outputs[".js"]), *context.collected.modules.values()),
        outputs[".map"],
        frozenset(inputs),
        context.format == "iife",
        warnings + shown,
    )


def _check_imports(metafile: dict[str, Any], inputs: frozenset[Path]) -> None:
    external = sorted(
        {
            f'"{found["path"]}"'
            for file in metafile["inputs"].values()
            for found in file["imports"]
            if found.get("external") and found["path"].startswith(("cloudflare:", "node:"))
        }
    )
    if external:
        raise BundleError(
            f"Unexpected external import of {' and '.join(external)}.\n"
            "  Your worker has no default export, which means it is assumed to be a Service Worker"
            " format Worker.\n"
            "  Did you mean to create a ES Module format Worker?\n"
            "  If so, try adding `export default { ... }` in your entry-point.\n"
            "  See https://developers.cloudflare.com/workers/reference/migrate-to-module-workers/",
            inputs,
        )


def _outputs(files: Value) -> dict[str, bytes]:
    """Return the content of each output by its suffix: `.js` and `.map`."""
    assert isinstance(files, list)
    found = [file for file in files if isinstance(file, dict)]
    return {Path(str(file["path"])).suffix: _bytes(file["contents"]) for file in found}


def _bytes(value: Value) -> bytes:
    assert isinstance(value, str | bytes)
    return value.encode() if isinstance(value, str) else value
