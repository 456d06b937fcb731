"""The options of `groundfog dev`, checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from msgspec import Struct

from emulator.cli.bundling_options import BundlingOptions
from emulator.cli.levels import Level


class DevArguments(Struct, frozen=True):
    """What was typed; `serving.py` acts on it.

    directory, config_path: of the first worker. others: the same of each of the others. is_first:
    whether these are about the first one.
    """

    directory: Path
    config_path: Path | None
    environment: str | None
    cli_vars: tuple[str, ...]  # "KEY:VALUE"
    env_files: tuple[Path, ...]
    ip: str | None
    port: int | None
    persist_to: Path | None
    python: Path | None
    level: Level
    debug: int | None  # a port, for Python workers
    inspector_port: int | None  # for TypeScript and JavaScript workers
    log_format: Literal["text", "json"]
    log_time: bool
    allowed_hosts: frozenset[str]
    clock: Literal["real", "virtual"] | None
    on_divergence: Literal["hold", "warn", "fail"] | None
    migrate: bool
    bundling: BundlingOptions
    script: Path | None
    name: str | None
    compatibility_date: str | None
    compatibility_flags: tuple[str, ...]
    routes: tuple[str, ...]
    host: str | None  # which the worker sees
    test_scheduled: bool
    live_reload: bool
    local_protocol: Literal["http", "https"] | None
    https_key_path: Path | None
    https_cert_path: Path | None
    show_interactive_dev_session: bool | None  # the keys; None: on a terminal
    began: float  # when, on the performance counter, in seconds
    others: tuple[tuple[Path, Path | None], ...] = ()
    is_first: bool = True


def host_of_route(route: str) -> str:
    """Return the host of a route: `"shop.example"` of `"https://*.shop.example/api/*"`."""
    host = route.partition("://")[2] or route
    return re.sub(r":\d+$", "", host.partition("/")[0].removeprefix("*").removeprefix("."))
