"""What esbuild is told for a project: wrangler's options, as arguments of its command line.

Source: docs/platform/bundling.md, "What wrangler tells esbuild".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from emulator.bundling.bundle import MAIN, BundleError
from emulator.bundling.hooks import Hooks
from emulator.bundling.packets import Value
from emulator.bundling.service import Message
from emulator.bundling.tools import version_numbers
from emulator.config.model import Config

Format = Literal["esm", "iife"]  # a module worker, or a script that calls `addEventListener`

CONDITIONS = ("workerd", "worker", "browser")
PLATFORMS = ("browser", "node", "neutral")
NAVIGATOR_DATE = "2022-03-21"
_COMMON = (
    "--target=es2024",
    "--supported:using=true",
    *(f"--loader:{suffix}=jsx" for suffix in (".js", ".mjs", ".cjs")),
    "--log-level=silent",
    "--color=false",
    "--metafile",
)
IMPORT_SOURCE_VERSION = (0, 25, 8)  # of esbuild, the first to know `import source`
_LISTENS = "__GROUNDFOG_ADDS_EVENT_LISTENER__"


def build_request(
    key: int, config: Config, flags: Sequence[str], hooks: Hooks | None, *, again: bool = False
) -> Message:
    """Return the request that builds the entry, or with `again` makes a context to build often."""
    request: Message = {
        "command": "build",
        "key": key,
        "entries": [[MAIN, str(config.main)]],
        "flags": list[Value](flags),
        "write": False,
        "stdinContents": None,
        "stdinResolveDir": None,
        "absWorkingDir": str(config.project_dir),
        "nodePaths": [],
        "context": again,
    }
    if hooks is not None:
        request["plugins"] = [hooks.plugin()]
    return request


def bundling_flags(
    config: Config, format: Format, process_env: Mapping[str, str], esbuild_version: str
) -> list[str]:
    """Return the options that bundle the project. Raises BundleError for a wrong platform."""
    bundling = config.bundling
    flags = [
        *_COMMON,
        "--bundle",
        f"--format={format}",
        f"--platform={_platform(process_env)}",
        f"--conditions={process_env.get('WRANGLER_BUILD_CONDITIONS', ','.join(CONDITIONS))}",
        "--external:__STATIC_CONTENT_MANIFEST",
        "--external:cloudflare:*",
        "--external:workerd:*",
        f"--jsx-factory={bundling.jsx_factory}",
        f"--jsx-fragment={bundling.jsx_fragment}",
        "--sourcemap=external",
        f"--source-root={config.project_dir.as_uri()}/",
        *_output(config.project_dir),
        *(f"--define:{name}={value}" for name, value in _defines(config, process_env).items()),
    ]
    if version_numbers(esbuild_version) >= IMPORT_SOURCE_VERSION:
        flags.append("--supported:import-source=true")
    if bundling.keep_names:
        flags.append("--keep-names")
    if bundling.minify:
        flags.append("--minify")
    if bundling.tsconfig is not None:
        flags.append(f"--tsconfig={bundling.tsconfig}")
    return flags


def entry_flags(config: Config) -> list[str]:
    """Return the options that only translate the entry, which tells what it exports."""
    tsconfig = config.bundling.tsconfig
    listeners = ("addEventListener", "globalThis.addEventListener", "self.addEventListener")
    return [
        *_COMMON,
        *_output(config.project_dir),
        *(f"--define:{name}={_LISTENS}" for name in listeners),
        *((f"--tsconfig={tsconfig}",) if tsconfig else ()),
    ]


def adds_listener(translated: bytes) -> bool:
    """Return whether the code that `entry_flags` has made adds an event listener."""
    return _LISTENS.encode() in translated


def _output(project_dir: Path) -> tuple[str, ...]:
    # Nothing is written. The folder decides how the source map names the sources.
    return f"--outdir={project_dir}", "--allow-overwrite"


def _platform(process_env: Mapping[str, str]) -> str:
    platform = process_env.get("WRANGLER_BUILD_PLATFORM", "browser")
    if platform not in PLATFORMS:
        raise BundleError(
            f'WRANGLER_BUILD_PLATFORM is "{platform}"; expected one of {", ".join(PLATFORMS)}'
        )
    return platform


def _defines(config: Config, process_env: Mapping[str, str]) -> dict[str, str]:
    node_env = json.dumps(process_env.get("NODE_ENV") or "development")
    defines = {
        f"{holder}process.env.NODE_ENV": node_env for holder in ("", "global.", "globalThis.")
    }
    if _has_navigator(config):
        defines["navigator.userAgent"] = '"Cloudflare-Workers"'
    return {**defines, **config.bundling.define}


def _has_navigator(config: Config) -> bool:
    flags = config.compatibility_flags
    if "global_navigator" in flags or "no_global_navigator" in flags:
        return "global_navigator" in flags
    return config.compatibility_date >= NAVIGATOR_DATE
