"""Imports of what Node.js has built in, such as `node:crypto` and `fs`.

The compatibility date and flags decide how much of it there is: nothing, AsyncLocalStorage alone,
modules with `node:` in front ("v1"), or everything ("v2").
Source: docs/platform/bundling.md, "Node.js modules".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from emulator.bundling.hooks import Hooks, Import
from emulator.bundling.service import Message

Mode = Literal["none", "als", "v1", "v2"]

DEFAULT_ON_DATE = "2026-08-04"
V2_DATE = "2024-09-23"

BUILTINS = """
    _http_agent _http_client _http_common _http_incoming _http_outgoing _http_server _stream_duplex
    _stream_passthrough _stream_readable _stream_transform _stream_wrap _stream_writable _tls_common
    _tls_wrap assert assert/strict async_hooks buffer child_process cluster console constants crypto
    dgram diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https
    inspector inspector/promises module net os path path/posix path/win32 perf_hooks process
    punycode querystring readline readline/promises repl stream stream/consumers stream/promises
    stream/web string_decoder sys timers timers/promises tls trace_events tty url util util/types v8
    vm wasi worker_threads zlib
""".split()
_PATTERN = f"^({'|'.join(map(re.escape, BUILTINS))}|node:.+)$"

_REQUIRED = "required-builtin"  # the namespace of a builtin that CommonJS code requires


def mode_of(date: str, flags: Sequence[str]) -> Mode:
    """Return how much of Node.js a worker of this compatibility date with these flags has."""
    on_by_date = date >= DEFAULT_ON_DATE
    on = "nodejs_compat" in flags or (on_by_date and "no_nodejs_compat" not in flags)
    if "nodejs_compat_v2" in flags:
        return "v2"
    if "no_nodejs_compat_v2" not in flags and (on_by_date or (on and date >= V2_DATE)):
        return "v2"
    if on:
        return "v1"
    return "als" if "nodejs_als" in flags else "none"


def add_required(hooks: Hooks) -> None:
    """Let CommonJS code require builtins: workerd has no `require` in bundled code."""

    async def replace(found: Import) -> Message | None:
        if found.kind != "require-call":
            return None
        return {"path": found.path, "namespace": _REQUIRED}

    async def load(path: str) -> Message | None:
        content = f"import found from '{path}'; module.exports = found;"
        return {"contents": content.encode(), "loader": "js"}

    hooks.on_resolve(_PATTERN, replace)
    hooks.on_load(".*", load, _REQUIRED)


def add_external(hooks: Hooks) -> None:
    """Let esbuild leave all imports of builtins to workerd."""

    async def leave(found: Import) -> Message | None:
        return {"path": f"node:{found.path.removeprefix('node:')}", "external": True}

    hooks.on_resolve(_PATTERN, leave)


def add_prefixed(hooks: Hooks, mode: Mode, warned: dict[str, list[str]]) -> None:
    """Let esbuild leave imports of `node:*` to workerd, if there is no such file.

    warned: gets each builtin that a worker of this mode may not have, and the files that import
    it.
    """

    async def leave(found: Import) -> Message | None:
        if mode == "als" and re.match(r"node:async_hooks(/|$)", found.path):
            return {"external": True}
        if await hooks.resolve(found) is None:
            if mode != "v1":
                warned.setdefault(found.path, []).append(found.importer)
            return {"external": True}
        return None

    hooks.on_resolve("^node:", leave)


def advice(path: str, mode: Mode) -> str | None:
    """Return what to tell about an import that could not be resolved, if it is a builtin."""
    if path.removeprefix("node:") not in BUILTINS:
        return None
    text = f'The package "{path}" wasn\'t found on the file system but is built into node.\n'
    if mode in ("none", "als"):
        text += '- Add the "nodejs_compat" compatibility flag to your project.\n'
    elif mode == "v1" and not path.startswith("node:"):
        text += (
            '- Make sure to prefix the module name with "node:" or update your compatibility_date'
            f" to {V2_DATE} or later.\n"
        )
    return text


def warning(path: str, importers: Sequence[str]) -> str:
    """Return what wrangler says of a builtin that the worker may not have."""
    return (
        f'The package "{path}" wasn\'t found on the file system but is built into node.\n'
        '  Your Worker may throw errors at runtime unless you enable the "nodejs_compat"'
        " compatibility flag. Imported from:\n"
        + "\n".join(f"   - {importer}" for importer in sorted(set(importers)))
    )
