"""What is bound to a worker, as it is shown to people. It never has the value of a secret."""

from __future__ import annotations

import json

from emulator.config.model import Config, Unsupported
from emulator.kinds.registry import KINDS

VALUE_MAX_CHARS = 60


def shown_bindings(config: Config) -> list[tuple[str, str, str]]:
    """Return name, kind and detail of each: `("env.DB", "D1 Database", "brief-db")`."""
    rows = _emulated(config)
    for other in config.bound(Unsupported):
        rows.append(
            (f"env.{other.name}", other.record.friendly, other.record.lacks or "not emulated yet")
        )
    for name, value in config.vars.items():
        if name in config.secret_names:
            rows.append((f"env.{name}", "Secret", "(hidden)"))
        else:
            shown = _short(json.dumps(value, default=str))
            rows.append((f"env.{name}", "Environment Variable", shown))
    return rows


def _emulated(config: Config) -> list[tuple[str, str, str]]:
    return [
        (_place(bound.name, kind.section), kind.friendly, kind.shown(bound.record))
        for kind in sorted(KINDS, key=lambda kind: kind.line)
        for bound in config.bindings
        if bound.kind == kind.name
    ]


def _place(name: str, section: str) -> str:
    """Return where user code finds a binding; without a name on `env`, its section's name."""
    return f"env.{name}" if name else section


def _short(text: str) -> str:
    return text if len(text) <= VALUE_MAX_CHARS else text[: VALUE_MAX_CHARS - 1] + "…"
