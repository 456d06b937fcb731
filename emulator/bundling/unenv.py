"""Which of wrangler's polyfills stand in for Node.js modules that workerd does not have.

wrangler asks two packages of its own, `unenv` and `@cloudflare/unenv-preset`, by compatibility date
and flags. They are JavaScript, so workerd runs them once for us. From ALL_NATIVE_DATE on, workerd
has every module itself, and they are asked only when code imports a package that they replace.
Source: docs/platform/bundling.md, "Polyfills of Node.js modules".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from emulator.bundling.hooks import Ask
from emulator.bundling.packets import Value
from emulator.bundling.tools import Tools, package, package_version

ALL_NATIVE_DATE = "2026-03-17"
# Packages for Node.js that unenv has its own versions of.
REPLACED_PACKAGES = (
    *("cross-fetch", "cross-fetch/polyfill", "fsevents", "inherits", "isomorphic-fetch"),
    *("node-fetch", "node-fetch-native", "node-fetch-native/polyfill"),
    *("whatwg-url", "whatwg-url/webidl2js-wrapper"),
)
_TIMEOUT_S = 30.0
_ANSWER = "groundfog-unenv:"
_SCRIPT = """
import { defineEnv } from %(unenv)s;
import { getCloudflarePreset } from %(preset)s;
const preset = getCloudflarePreset(%(compatibility)s);
const { alias, inject, external, polyfill } = defineEnv({ presets: [preset], npmShims: true }).env;
const answer = JSON.stringify({ alias, inject, external, polyfill });
export default { test() { console.log(%(mark)s + answer); } };
"""
_CONFIG = """
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [ (name = "main", worker = (
  modules = [ (name = "main", esModule = embed "main.js") ],
  compatibilityDate = "2026-08-01", compatibilityFlags = ["nodejs_compat"],
)) ]);
"""


class NoPolyfills(Exception):
    """The packages cannot be asked; the text says why."""


class Polyfills(Struct, frozen=True):
    """What unenv says for one date and its flags.

    folder: where the names of its modules are resolved from. alias: what an import means instead;
    those whose meaning is in `external` are left to workerd. inject: for each global variable, the
    module whose default export, or the module and the name of whose export, is its value.
    modules: what is to run before everything else.
    """

    folder: Path
    alias: dict[str, str]
    external: frozenset[str]
    inject: dict[str, str | list[str]]
    modules: tuple[str, ...]


def needed_at_once(date: str, flags: Sequence[str]) -> bool:
    """Return whether workerd lacks modules of Node.js at this date, with these flags."""
    lacks = any(flag.startswith("disable_nodejs_") for flag in flags)
    return date < ALL_NATIVE_DATE or lacks


def warning(date: str, reason: Exception) -> str:
    """Return what to tell when workerd lacks modules and there are no polyfills."""
    return (
        f"At the compatibility date {date} workerd does not have every module of Node.js, and"
        f" wrangler's polyfills cannot be used: {reason}.\n"
        f"  Run `npm install -D wrangler`, or set compatibility_date to {ALL_NATIVE_DATE} or later."
    )


async def find_polyfills(
    tools: Tools, date: str, flags: Sequence[str], ask: Ask, key: int, cache: Path | None
) -> Polyfills:
    """Return what unenv says. `key` is of a build that esbuild makes for it.

    cache: a file that keeps the last answer, so that the next start need not ask.

    Raises NoPolyfills when the packages are not installed, or are of a version that differs too
    much.
    """
    folder = tools.wrangler
    unenv = package("unenv", folder) if folder is not None else None
    preset = package("@cloudflare/unenv-preset", folder) if folder is not None else None
    if folder is None or unenv is None or preset is None:
        raise NoPolyfills("the packages unenv and @cloudflare/unenv-preset were not found")
    asked = [str(preset), package_version(preset), package_version(unenv), date, *flags]
    told = _kept(cache, asked)
    if told is None:
        texts = {
            "unenv": str(unenv / "dist" / "index.mjs"),
            "preset": str(preset / "dist" / "index.mjs"),
            "compatibility": {"compatibilityDate": date, "compatibilityFlags": list(flags)},
            "mark": _ANSWER,
        }
        script = _SCRIPT % {name: json.dumps(text) for name, text in texts.items()}
        told = await _run(await _bundled(script, folder, ask, key), tools.workerd.path)
        _keep(cache, asked, told)
    return _polyfills(folder, told)


def _kept(cache: Path | None, asked: list[str]) -> Any:
    """Return the answer that `cache` has, or None; a cache that cannot be read has none."""
    try:
        found = json.loads(cache.read_bytes()) if cache is not None else {}
        return found["told"] if found.get("asked") == asked else None
    except (OSError, ValueError, LookupError, AttributeError):
        return None


def _keep(cache: Path | None, asked: list[str], told: Any) -> None:
    if cache is None:
        return
    beside = cache.with_name(f"{cache.name}.new")
    with contextlib.suppress(OSError):  # then the next start asks again
        beside.write_text(json.dumps({"asked": asked, "told": told}), encoding="utf-8")
        beside.replace(cache)


def _polyfills(folder: Path, told: Any) -> Polyfills:
    try:
        alias = dict(told["alias"])
        alias.pop("debug", None)  # wrangler prefers the real package to unenv's empty one
        return Polyfills(
            folder,
            alias,
            frozenset(told["external"]),
            dict(told["inject"]),
            tuple(told["polyfill"]),
        )
    except (LookupError, TypeError, ValueError) as error:
        raise NoPolyfills(f"unenv gave something else than expected: {error!r}") from None


async def _bundled(script: str, folder: Path, ask: Ask, key: int) -> bytes:
    flags: list[Value] = ["--bundle", "--format=esm", "--platform=node", "--log-level=silent"]
    flags += ['--define:import.meta.url="file:///unenv/index.mjs"', "--outfile=main.js"]
    found = await ask(
        {
            "command": "build",
            "key": key,
            "entries": [],
            "flags": flags,
            "write": False,
            "stdinContents": script.encode(),
            "stdinResolveDir": str(folder),
            "absWorkingDir": str(folder),
            "nodePaths": [],
            "context": False,
        }
    )
    files = found.get("outputFiles")
    if found["errors"] or not isinstance(files, list):
        raise NoPolyfills(f"unenv cannot be bundled: {found['errors']!r}")
    (output,) = files
    assert isinstance(output, dict)
    content = output["contents"]
    assert isinstance(content, bytes)
    return content


async def _run(code: bytes, workerd: Path) -> Any:
    """Run a module whose test writes one line of JSON, and return the value."""
    with tempfile.TemporaryDirectory(prefix="groundfog-") as folder:
        Path(folder, "main.js").write_bytes(code)
        Path(folder, "config.capnp").write_text(_CONFIG, encoding="utf-8")
        try:
            process = await asyncio.create_subprocess_exec(
                *(workerd, "test", "config.capnp"),
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise NoPolyfills(f"workerd cannot be started: {error}") from None
        try:
            said, _ = await asyncio.wait_for(process.communicate(), _TIMEOUT_S)
        except TimeoutError:
            raise NoPolyfills("workerd did not answer") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    text = said.decode(errors="replace")
    for line in text.splitlines():
        _, mark, answer = line.partition(_ANSWER)
        if mark:
            return json.loads(answer)
    raise NoPolyfills(f"workerd did not run unenv: {text.strip()[-500:]}")
