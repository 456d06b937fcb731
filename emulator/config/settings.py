"""groundfog.toml: what only Groundfog knows. Strict: a key it does not know is an error."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, cast

from emulator.config.ai_rules import read_rule
from emulator.config.ai_section import AI_KEYS, read_ai_settings
from emulator.config.durations_key import read_duration_ms
from emulator.config.model import AiRule, ClockSettings, IndexSettings, Settings, VectorizeConfig
from emulator.config.problems import Fault, Report, nearest, quoted
from emulator.config.source import Parsed, Source
from emulator.config.table import Table
from emulator.config.text_files import read_text
from emulator.config.toml_source import parse_toml

FILE_NAME = "groundfog.toml"

ENGINE_KEYS = ("durability", "concurrency", "queued", "creation_rate")
CLOCK_KEYS = ("mode", "start", "grace")
RELOAD_KEYS = ("grace",)
GUEST_KEYS = ("hang_timeout",)
INDEX_KEYS = ("dimensions", "metric", "metadata_indexes", "visibility_lag", "filter_unindexed")
WORKFLOWS_KEYS = ("on_divergence",)
SECTIONS = ("engine", "clock", "reload", "guest", "workflows", "vectorize", "ai")

ON_DIVERGENCE = ("hold", "warn", "fail")
DURABILITIES = ("full", "process")
CLOCK_MODES = ("real", "virtual")
METRICS = ("cosine", "euclidean", "dot-product")
METADATA_TYPES = ("string", "number", "boolean")
CONCURRENCY_MAX = 1_000_000
QUEUED_MAX = 1_000_000_000
CREATION_RATE_MAX = 1_000_000
DIMENSIONS_MAX = 1_536  # docs "Vectorize limits"
METADATA_INDEXES_MAX = 10  # docs "Vectorize limits"


def load_settings(path: Path, shown: str, report: Report) -> tuple[Settings, Source]:
    """Return the settings of the file at `path`, or the defaults when there is none."""
    if not os.path.exists(path):
        return Settings(), Source(shown, Parsed({}, {}))
    try:
        source = Source(shown, parse_toml(read_text(path)))
    except Fault as fault:
        report.problems.append(fault.problem(shown))
        return Settings(), Source(shown, Parsed({}, {}))
    return read_settings(source, report), source


def read_settings(source: Source, report: Report) -> Settings:
    """Return the settings that `source` holds; everything wrong in them goes to `report`."""
    top = Table(source.parsed.data, (), source, report)
    top.unknown_keys(SECTIONS, report.error)
    engine = _section(top, "engine", ENGINE_KEYS)
    reload = _section(top, "reload", RELOAD_KEYS)
    guest = _section(top, "guest", GUEST_KEYS)
    workflows = _section(top, "workflows", WORKFLOWS_KEYS)
    ai = _section(top, "ai", AI_KEYS)
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
        indexes=_read_indexes(top),
        ai_rules=_read_rules(ai),
        ai_strict=bool(ai.boolean("strict")),
        ai=read_ai_settings(ai),
    )


def warn_about_unused_indexes(
    settings: Settings, source: Source, indexes: Sequence[VectorizeConfig], report: Report
) -> None:
    """Warn about settings for an index that no binding uses: most often a typing mistake."""
    used = {index.index_name for index in indexes}
    for name in settings.indexes:
        if name not in used:
            close = nearest(name, used)
            report.warn(
                source.where(("vectorize", name)),
                f"no [[vectorize]] binding has index_name {quoted(name)}; its settings are unused",
                f'Did you mean "{close}"?' if close else "",
            )


def _section(top: Table, key: str, known: tuple[str, ...]) -> Table:
    table = top.table(key, f"Write [{key}] with its settings below it.")
    if table is None:
        return Table({}, (key,), top.source, top.report)
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


def _read_rules(ai: Table) -> tuple[AiRule, ...]:
    items = ai.tables("rules", 'Write [[ai.rules]] with model = "*" and text = "…" below it.')
    return tuple(rule for rule in map(read_rule, items) if rule is not None)


def _read_indexes(top: Table) -> dict[str, IndexSettings]:
    vectorize = top.table("vectorize", "Write [vectorize.my-index] with its settings below it.")
    if vectorize is None:
        return {}
    indexes = {}
    for name in vectorize.data:
        table = vectorize.table(name, "Write [vectorize.my-index] with its settings below it.")
        if table is not None:
            indexes[name] = _read_index(table)
    return indexes


def _read_index(table: Table) -> IndexSettings:
    table.unknown_keys(INDEX_KEYS, table.report.error)
    metric = table.choice("metric", METRICS)
    metadata: dict[str, Literal["string", "number", "boolean"]] = {}
    types = table.table("metadata_indexes", 'Write metadata_indexes = { category = "string" }.')
    if types is not None:
        for key in types.data:
            kind = types.choice(key, METADATA_TYPES)
            if kind is not None:
                metadata[key] = cast(Literal["string", "number", "boolean"], kind)
        if len(types.data) > METADATA_INDEXES_MAX:
            found = f"{types.name()} has {len(types.data)} entries"
            types.error(None, f"{found}; Vectorize allows {METADATA_INDEXES_MAX} for an index")
    return IndexSettings(
        table.integer("dimensions", 1, DIMENSIONS_MAX),
        cast(Literal["cosine", "euclidean", "dot-product"] | None, metric),
        metadata,
        read_duration_ms(table, "visibility_lag", 0),
        bool(table.boolean("filter_unindexed")),
    )
