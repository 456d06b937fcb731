"""What the main module is: a module worker, or a service worker from before modules.

Source: docs/platform/bundling.md, "Module or service worker".
"""

from __future__ import annotations

import json

from msgspec import Struct

from emulator.bundling.options import Format, adds_listener, build_request, entry_flags
from emulator.bundling.service import Service
from emulator.config.model import Config

_NO_DEFAULT = (
    "The entrypoint {} has exports like an ES Module, but hasn't defined a default export like a"
    ' module worker normally would. Building the worker using "service-worker" format...'
)


class Entry(Struct, frozen=True):
    """The format of the main module, the names that it exports, and warnings about them."""

    format: Format
    exports: tuple[str, ...]
    warnings: tuple[str, ...] = ()


async def read_entry(service: Service, key: int, config: Config) -> Entry:
    """Return what the main module is. One that cannot be read counts as a module worker."""
    found = await service.ask(build_request(key, config, entry_flags(config), None))
    if found["errors"]:
        return Entry("esm", ())
    files = found["outputFiles"]
    metafile = found["metafile"]
    assert isinstance(files, list) and isinstance(metafile, str | bytes)
    (output,) = json.loads(metafile)["outputs"].values()
    exports = tuple(output["exports"])
    if "default" in exports:
        return Entry("esm", exports)
    if not exports:
        return Entry("iife", ())
    listens = any(adds_listener(file["contents"]) for file in files if isinstance(file, dict))  # type: ignore[arg-type]
    if not listens:
        return Entry("esm", exports)
    return Entry(
        "iife",
        exports,
        (_NO_DEFAULT.format(config.main.name),),
    )
