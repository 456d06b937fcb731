"""The table of bindings shown at the start. Pure. No secret value ever gets in."""

from __future__ import annotations

import json
from typing import assert_never

from emulator.config.model import AiSettings, Config

VALUE_MAX_CHARS = 60


def bindings_table(config: Config) -> list[str]:
    """Return one aligned line per binding: `env.DB   D1 Database   brief-db`."""
    rows: list[tuple[str, str, str]] = []
    for workflow in config.workflows:
        detail = f"{workflow.name} ({workflow.class_name})"
        if workflow.schedules:
            detail += f", starts itself at {' and '.join(workflow.schedules)} (UTC)"
        rows.append((workflow.binding, "Workflow", detail))
    for database in config.d1_databases:
        rows.append((database.binding, "D1 Database", database.database_name))
    if config.ai_binding is not None:
        rows.append((config.ai_binding, "AI", _who_answers(config.settings.ai)))
    for index in config.vectorize:
        rows.append((index.binding, "Vectorize Index", index.index_name))
    for other in config.unsupported:
        rows.append((other.binding, other.friendly, "not emulated yet"))
    for name, value in config.vars.items():
        if name in config.secret_names:
            rows.append((name, "Secret", "(hidden)"))
        else:
            rows.append((name, "Environment Variable", _short(json.dumps(value, default=str))))
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return [
        f"env.{name:<{widths[0]}}   {kind:<{widths[1]}}   {detail}" for name, kind, detail in rows
    ]


def _who_answers(ai: AiSettings) -> str:
    asked = "" if ai.upstream is None else f"{ai.upstream.name} ({ai.upstream.base_url})"
    match ai.mode:
        case "stub":
            return "local stub"
        case "replay":
            return f"replayed from {ai.cassette}"
        case "record":
            return f"asks {asked}, recorded in {ai.cassette}"
        case "remote":
            return f"asks {asked}"
        case _:
            assert_never(ai.mode)


def _short(text: str) -> str:
    return text if len(text) <= VALUE_MAX_CHARS else text[: VALUE_MAX_CHARS - 1] + "…"
