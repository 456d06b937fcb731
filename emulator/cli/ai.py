"""`groundfog ai`: the calls of env.AI, what they would have cost, and a call by hand.

It reads the ledger in the state directory; a server may be running or not.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from bindings.ai.ledger import NOBODY, parse_line, read
from emulator.answers.ai import LedgerLine
from emulator.cli.ai_models import models, run
from emulator.cli.lazy import Group
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import json_text, show, show_json
from emulator.cli.table import draw_table
from emulator.kinds.ai import ledger_path, settings_of
from emulator.state import State
from emulator.words import counted

FOLLOW_INTERVAL_S = 0.3
HEADER = ("time", "model", "answered by", "tokens in", "out", "neurons", "ms", "error")


@click.group(cls=Group)
def ai() -> None:
    """Show the calls of env.AI, and run models."""


@ai.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per call.")
@click.option("--follow", "-f", is_flag=True, help="Go on with calls as they are made.")
@click.option("--limit", type=click.IntRange(min=1), default=50, help="How many of the last calls.")
@click.option("--errors", is_flag=True, help="Only calls that failed.")
@project_options
def calls(options: ProjectOptions, as_json: bool, follow: bool, limit: int, errors: bool) -> None:
    """List the last calls with model, tokens, neurons, and who answered."""
    path = _ledger(options)
    end = _size(path)  # before it is read, so that later lines are followed
    entries = [entry for entry in read(path) if not errors or "error" in entry]
    shown = entries[-limit:]
    if as_json:
        for entry in shown:
            show_json(entry, indent=None)
    elif shown:
        show(draw_table(HEADER, [_row(entry) for entry in shown], cell_max=60))
        show(_summary(entries))
    else:
        show("No calls of env.AI have been made.")
    if follow:
        _follow(path, end, as_json=as_json, errors=errors)


def _follow(path: Path, start: int, *, as_json: bool, errors: bool) -> None:
    try:
        for entry in _new_entries(path, start):
            if errors and "error" not in entry:
                continue
            text = json_text(entry) if as_json else _line(entry)
            show(text)
    except KeyboardInterrupt:
        return


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _new_entries(path: Path, at: int) -> Iterator[LedgerLine]:
    """Yield the lines appended after byte `at`; a file that became shorter is a new one."""
    rest = ""
    while True:
        size = _size(path)
        if size < at:
            at, rest = 0, ""
        if size > at:
            with open(path, encoding="utf-8", errors="replace") as file:
                file.seek(at)
                text = file.read()
                at = file.tell()
            *lines, rest = (rest + text).split("\n")
            yield from (entry for entry in map(parse_line, lines) if entry is not None)
        time.sleep(FOLLOW_INTERVAL_S)


@ai.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def rules(options: ProjectOptions, as_json: bool) -> None:
    """Count the calls that each [[ai.rules]] entry of groundfog.toml has answered."""
    config = load_project(options)
    answered = Counter(str(e.get("answered_by")) for e in read(_ledger(options)))
    refused = answered.pop(NOBODY, 0)
    rules = settings_of(config).rules
    known = [rule.where for rule in rules]
    rows = [(rule.where, rule.model, rule.prompt or "", answered[rule.where]) for rule in rules]
    others = sum(count for who, count in answered.items() if who not in known)
    header = ("rule", "model", "prompt", "calls")
    if as_json:
        show_json([dict(zip(header, row, strict=True)) for row in rows])
        return
    if rows:
        show(draw_table(header, rows))
    else:
        show("groundfog.toml has no [[ai.rules]].")
    show(f"{counted(others, 'call')} answered otherwise.")
    if refused:
        show(f"{counted(refused, 'call')} refused: strict is on.")


@ai.command()
@project_options
def clear(options: ProjectOptions) -> None:
    """Forget the recorded calls."""
    path = _ledger(options)
    for part in (path, path.with_name(f"{path.name}.1")):
        part.unlink(missing_ok=True)
    show("The ledger of env.AI is empty.")


def _state(options: ProjectOptions) -> State:
    return State.locate(load_project(options), options.persist_to)


def _ledger(options: ProjectOptions) -> Path:
    return ledger_path(_state(options))


def _row(entry: LedgerLine) -> tuple[object, ...]:
    return (
        _time(entry),
        entry["model"],
        entry.get("answered_by", ""),
        entry.get("tokens_in", 0),
        entry.get("tokens_out", 0),
        f"{entry.get('neurons', 0):.3f}",
        entry.get("latency_ms", 0),
        entry.get("error", ""),
    )


def _line(entry: LedgerLine) -> str:
    error = f"  {entry['error']}" if "error" in entry else ""
    tokens = f"{entry.get('tokens_in', 0)}+{entry.get('tokens_out', 0)} tokens"
    who = entry.get("answered_by", "")
    return f"{_time(entry)}  {entry['model']}  {who}  {tokens}{error}"


def _time(entry: LedgerLine) -> str:
    return datetime.fromtimestamp(entry.get("at_ms", 0) / 1000).strftime("%H:%M:%S")


def _summary(entries: list[LedgerLine]) -> str:
    failed = sum("error" in entry for entry in entries)
    neurons = sum(entry.get("neurons", 0) for entry in entries)
    usd = sum(entry.get("usd", 0) for entry in entries)
    return (
        f"{counted(len(entries), 'call')}, {failed} failed; "
        f"about {neurons:,.1f} neurons, ${usd:.4f} at Cloudflare's list price."
    )


for command in (models, run):
    ai.add_command(command)
