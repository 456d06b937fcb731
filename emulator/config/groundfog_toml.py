"""groundfog.toml: what only Groundfog knows. Strict: a key it does not know is an error."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, cast

from emulator.config.durations_key import read_duration_ms
from emulator.config.model import ClockSettings, FaultRule, Settings
from emulator.config.problems import Fault, Report, quoted
from emulator.config.source import Parsed, Source
from emulator.config.table import Table
from emulator.config.text_files import read_text
from emulator.config.toml_source import parse_toml

FILE_NAME = "groundfog.toml"

ENGINE_KEYS = ("durability", "concurrency", "queued", "creation_rate")
CLOCK_KEYS = ("mode", "start", "grace")
RELOAD_KEYS = ("grace",)
GUEST_KEYS = ("hang_timeout",)
WORKFLOWS_KEYS = ("on_divergence", "shadow_replay")
FAULT_KEYS = ("binding", "how", "nth", "method", "times", "error", "delay")
SECTIONS = ("engine", "clock", "reload", "guest", "workflows", "faults")

FAULTS = ("fail", "drop", "delay", "redeliver")
COUNT_MAX = 2**31 - 1
ON_DIVERGENCE = ("hold", "warn", "fail")
DURABILITIES = ("full", "process")
CLOCK_MODES = ("real", "virtual")
CONCURRENCY_MAX = 1_000_000
QUEUED_MAX = 1_000_000_000
CREATION_RATE_MAX = 1_000_000


def read_source(path: Path, shown: str, report: Report) -> Table:
    """Return the contents of the file at `path`; empty if it is missing or cannot be read."""
    empty = Source(shown, Parsed({}, {}))
    source = empty
    if os.path.exists(path):
        try:
            source = Source(shown, parse_toml(read_text(path)))
        except Fault as fault:
            report.problems.append(fault.problem(shown))
    return Table(source.parsed.data, (), source, report)


def read_settings(top: Table, others: Iterable[str]) -> Settings:
    """Return the settings of a file, without those of `others`, the sections of kinds of bindings.

    Everything wrong in them is reported.
    """
    top.unknown_keys([*SECTIONS, *others], top.report.error)
    engine = _section(top, "engine", ENGINE_KEYS)
    reload = _section(top, "reload", RELOAD_KEYS)
    guest = _section(top, "guest", GUEST_KEYS)
    workflows = _section(top, "workflows", WORKFLOWS_KEYS)
    defaults = Settings()
    on_divergence = workflows.choice("on_divergence", ON_DIVERGENCE) or defaults.on_divergence
    durability = engine.choice("durability", DURABILITIES) or defaults.durability
    hang_timeout_ms = read_duration_ms(guest, "hang_timeout", defaults.hang_timeout_ms)
    if hang_timeout_ms == 0:
        guest.error("hang_timeout", "guest.hang_timeout is 0; expected a duration above 0")
    return Settings(
        durability=cast(Literal["full", "process"], durability),
        concurrency=engine.integer("concurrency", 1, CONCURRENCY_MAX) or defaults.concurrency,
        queued=engine.integer("queued", 1, QUEUED_MAX) or defaults.queued,
        creation_rate=engine.integer("creation_rate", 1, CREATION_RATE_MAX),
        clock=_read_clock(_section(top, "clock", CLOCK_KEYS)),
        reload_grace_ms=read_duration_ms(reload, "grace", defaults.reload_grace_ms),
        hang_timeout_ms=hang_timeout_ms,
        on_divergence=cast(Literal["hold", "warn", "fail"], on_divergence),
        faults=tuple(_read_faults(top)),
        shadow_replay=bool(workflows.boolean("shadow_replay")),
    )


def _read_faults(top: Table) -> Iterator[FaultRule]:
    """Yield the faults of bindings. Which bindings there are is not known here."""
    for item in top.tables(
        "faults", 'Write [[faults]] with binding = "DB" and how = "fail" below.'
    ):
        item.unknown_keys(FAULT_KEYS, top.report.error)
        binding = item.string("binding", required=True, example="DB")
        how = item.choice("how", FAULTS)
        if how is None:
            if "how" not in item.data:
                item.error("how", f"how is missing; expected one of {', '.join(FAULTS)}")
            continue
        if binding:
            yield FaultRule(
                binding,
                cast(Literal["fail", "drop", "delay", "redeliver"], how),
                item.integer("nth", 1, COUNT_MAX) or 0,
                item.string("method") or "",
                item.integer("times", 1, COUNT_MAX),
                item.string("error") or FaultRule("", "fail").error,
                read_duration_ms(item, "delay", 0),
            )


def section_of(top: Table, key: str, header: str = "") -> Table:
    """Return a section of the file, empty when it is missing or wrong. `header`: how one looks."""
    table = top.table(key, f"Write [{header or key}] with its settings below it.")
    return Table({}, (key,), top.source, top.report) if table is None else table


def _section(top: Table, key: str, known: tuple[str, ...]) -> Table:
    table = section_of(top, key)
    table.unknown_keys(known, top.report.error)
    return table


def _read_clock(clock: Table) -> ClockSettings:
    defaults = ClockSettings()
    mode = clock.choice("mode", CLOCK_MODES) or defaults.mode
    return ClockSettings(
        cast(Literal["real", "virtual"], mode),
        _read_instant_ms(clock, "start"),
        read_duration_ms(clock, "grace", defaults.grace_ms),
    )


def _read_instant_ms(table: Table, key: str) -> int | None:
    """Return a point in time, TOML's own or ISO 8601 in a string; without an offset it is UTC."""
    value = table.data.get(key)
    if value is None:
        return None
    try:
        if not isinstance(value, str | date):
            raise ValueError
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        instant_ms = int(moment.timestamp() * 1000)
        if instant_ms < 0:
            raise ValueError
        return instant_ms
    except (ValueError, OverflowError):
        found = f"{table.name(key)} is {quoted(value)}; expected a time from 1970 on"
        table.error(key, found, f"For example {key} = 2026-01-01T09:00:00Z.")
        return None
