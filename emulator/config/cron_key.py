"""Cron expressions in the configuration: a list at a key, each of which must fire some day."""

from __future__ import annotations

from emulator.config.problems import quoted
from emulator.config.table import Table
from emulator.cron import Cron, InvalidCron


def read_crons(table: Table, key: str) -> tuple[str, ...]:
    """Return the expressions at `key`, each once; those that are wrong are reported."""
    return tuple(dict.fromkeys(text for text in table.strings(key) if is_cron(table, key, text)))


def is_cron(table: Table, key: str, text: str) -> bool:
    """Return whether `text` is an expression that fires; report it if it is not."""
    try:
        never = Cron.parse(text).next_after_ms(0) is None
        problem = "it never fires; no month it names has such a day" if never else ""
    except InvalidCron as error:
        problem = str(error)
    if problem:
        fix = f'Five fields, weekdays 1 (Sunday) to 7: {key} = ["0 9 * * MON-FRI"].'
        table.error(key, f"{table.name(key)} has {quoted(text)}: {problem}", fix)
    return not problem
