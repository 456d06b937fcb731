"""How much the terminal shows."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """The same names as wrangler's --log-level."""

    NONE = 0
    ERROR = 1
    WARN = 2
    LOG = 3
    INFO = 4
    DEBUG = 5
