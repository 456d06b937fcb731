"""The table of bindings shown at the start. Pure. No secret value ever gets in."""

from __future__ import annotations

import json

from emulator.config.model import Config, Unsupported
from emulator.kinds.registry import KINDS

VALUE_MAX_CHARS = 60


def bindings_table(config: Config) -> list[str]:
    """Return one aligned line per binding: `env.DB   D1 Database   brief-db`."""
    rows = _emulated(config)
    for other in config.bound(Unsupported):
        rows.append((other.name, other.record.friendly, "not emulated yet"))
    for name, value in config.vars.items():
        if name in config.secret_names:
            rows.append((name, "Secret", "(hidden)"))
        else:
            rows.append((name, "Environment Variable", _short(json.dumps(value, default=str))))
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return [
        f"env.{name:<{widths[0]}}   {kind:<{widths[1]}}   {detail}" for name, kind, detail in rows
    ]


def _emulated(config: Config) -> list[tuple[str, str, str]]:
    return [
        (bound.name, kind.friendly, kind.shown(bound.record))
        for kind in sorted(KINDS, key=lambda kind: kind.line)
        for bound in config.bindings
        if bound.kind == kind.name
    ]


def _short(text: str) -> str:
    return text if len(text) <= VALUE_MAX_CHARS else text[: VALUE_MAX_CHARS - 1] + "…"
