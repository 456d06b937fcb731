"""Cron triggers: `[triggers]`, and `[cron]` of groundfog.toml.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct

from emulator.config.cron_key import read_crons
from emulator.config.model import Bound, Config
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from emulator.kinds.places import Places

NAME = "cron"
_SETTING_KEYS = ("fire",)


class CronTrigger(Struct, frozen=True):
    """One expression of `triggers.crons`."""

    cron: str


def fires(config: Config) -> bool:
    """Whether triggers fire by themselves."""
    return bool(config.settings.kinds.get(NAME, True))


def _read(section: Section) -> list[Bound[CronTrigger]]:
    triggers = section.item('with crons = ["0 9 * * *"] below it')
    if triggers is None:
        return []
    if triggers.data.get("events"):
        text = "is not emulated yet; the worker runs without"
        triggers.warn("events", f"{triggers.name('events')} {text}")
    return [Bound("", NAME, CronTrigger(cron)) for cron in read_crons(triggers, "crons")]


def _read_settings(cron: Table, process_env: Mapping[str, str]) -> bool:
    """Return whether triggers fire by themselves."""
    cron.unknown_keys(_SETTING_KEYS, cron.report.error)
    return cron.boolean("fire") is not False


def _open(trigger: CronTrigger, places: Places) -> NoReturn:
    raise AssertionError("a cron trigger is not on env")


KIND = Kind(
    name=NAME,
    section="triggers",
    friendly="Cron Trigger",
    keys=frozenset({"crons", "events"}),
    name_key="crons",
    read=_read,
    open=_open,
    shown=lambda trigger: f"{trigger.cron} (UTC)",
    settings=NAME,
    setting_keys=tuple(f"cron.{key}" for key in _SETTING_KEYS),
    read_settings=_read_settings,
    commands="emulator.cli.cron:cron",
    routes="emulator.server.api.cron:routes",
    trigger="emulator.triggers.cron:trigger",
)
