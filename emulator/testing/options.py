"""The options of a worker in a test -> its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from emulator.config.load import load_config
from emulator.config.model import ClockSettings, Config
from emulator.config.problems import InvalidConfig
from emulator.testing.refusals import LoadRefused

GRACE_MS = 5_000  # running code that gets no further for so long is left behind


class Options(Struct, frozen=True):
    """What a test says of its worker. project: a folder; config: a file, or "" for the usual one.

    clock: "auto" stands still and moves while a test waits, "virtual" only when it is told, "real"
    is the time of day. now_ms: when a virtual clock begins; None: the time it is.
    allow_hosts: that the worker reaches; patterns with `*` for `fetch`.
    process_env: the environment of the test process. group: workers with the same one call each
    other; "": it is alone.
    """

    project: str
    config: str = ""
    environment: str | None = None
    vars: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    clock: Literal["auto", "virtual", "real"] = "auto"
    now_ms: int | None = None
    migrate: bool = True
    on_divergence: Literal["hold", "warn", "fail"] = "fail"
    durability: Literal["full", "process"] = "process"
    allow_hosts: tuple[str, ...] = ()
    deadline_ms: int = 10_000
    process_env: dict[str, str] = field(default_factory=dict)
    group: str = ""


def read(options: Options) -> Config:
    """Return the configuration that these options ask for. Raises LoadRefused."""
    try:
        config = load_config(
            Path(options.project),
            config_path=Path(options.config) if options.config else None,
            environment=options.environment,
            process_env=options.process_env,
        )
    except InvalidConfig as error:
        raise LoadRefused(str(error)) from None
    clock = ClockSettings("real")
    if options.clock != "real":
        clock = ClockSettings("virtual", options.now_ms, GRACE_MS)
    settings = replace(
        config.settings,
        clock=clock,
        on_divergence=options.on_divergence,
        durability="full" if options.durability == "full" else "unsynced",
    )
    return replace(
        config,
        vars=_with(config.vars, options),
        secret_names=config.secret_names | options.secrets.keys(),
        settings=settings,
    )


def _with(variables: Mapping[str, Any], options: Options) -> dict[str, Any]:
    return {**variables, **options.vars, **options.secrets}
