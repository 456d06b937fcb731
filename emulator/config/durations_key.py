"""A duration in groundfog.toml, such as `grace = "5 seconds"`."""

from __future__ import annotations

from emulator.config.table import Table
from emulator.durations import InvalidDuration, parse_duration_ms


def read_duration_ms(table: Table, key: str, default_ms: int) -> int:
    """Return the duration at `key` in milliseconds, or `default_ms` when absent or wrong."""
    value = table.data.get(key)
    if value is None:
        return default_ms
    try:
        return parse_duration_ms(value)
    except (InvalidDuration, OverflowError) as error:
        table.error(key, f"{table.name(key)} is {error}")
        return default_ms
