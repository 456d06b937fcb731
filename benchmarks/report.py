"""Writes figures as a Markdown table or as JSON, with the machine on which they were taken."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure, Measured, Unit
from benchmarks.peers import Peer


def as_markdown(measured: Sequence[Measured], peers: Sequence[Peer], command: str) -> str:
    """Return the table, with the command and the machine above it. `peers[0]` is Groundfog."""
    ours, *others = [peer.name for peer in peers]
    header = ["", "goal", f"measured: {ours}"]
    for other in others:
        header += [f"measured: {other}", f"{ours} is better"]
    rows = [header, ["---"] + ["---:"] * (len(header) - 1)]
    for row in measured:
        cells = [row.figure.name, _goal(row.figure), _summary(row, ours)]
        for other in others:
            cells += [_summary(row, other), _advantage(row, ours, other)]
        rows.append(cells)
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    return f"`{command}` on {machine()}; {versions(peers)}.\n\n{table}\n"


def as_json(measured: Sequence[Measured], peers: Sequence[Peer], command: str) -> str:
    """Return everything that was measured, every sample kept, in seconds, bytes or per second."""
    return json.dumps(
        {
            "command": command,
            "machine": machine(),
            "versions": {peer.name: peer.version for peer in peers},
            "figures": [
                {
                    "name": row.figure.name,
                    "unit": row.figure.unit,
                    "goal": row.figure.goal,
                    "value": {name: row.figure.value(all_) for name, all_ in row.samples.items()},
                    "samples": row.samples,
                }
                for row in measured
            ],
        },
        indent=2,
    )


def machine() -> str:
    """Return the machine: `2 cores (AMD EPYC), Linux 6.1, Python 3.11.7`."""
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores ({_processor()}), {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def versions(peers: Sequence[Peer]) -> str:
    """Return `groundfog 0.1.0, wrangler dev 4.164.0`."""
    return ", ".join(f"{peer.name} {peer.version}" for peer in peers)


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    sign = "≥" if figure.unit is Unit.PER_SECOND else "≤"
    return f"{sign} {_amount(figure.goal, figure.unit)}"


def _summary(row: Measured, peer: str) -> str:
    samples = row.samples.get(peer)
    if not samples:
        return "–"
    unit = row.figure.unit
    value = _amount(row.figure.value(samples), unit)
    if len(samples) == 1:
        return f"**{value}**"
    return f"**{value}** ({_amount(min(samples), unit)} to {_amount(max(samples), unit)})"


def _advantage(row: Measured, ours: str, other: str) -> str:
    if not row.samples.get(ours) or not row.samples.get(other):
        return "–"
    advantage = row.figure.advantage(row.samples[ours], row.samples[other])
    if advantage is None:
        return "–"
    digits = 2 if advantage < 2 else 1 if advantage < 100 else 0
    return f"{advantage:.{digits}f}×"


def _amount(value: float, unit: Unit) -> str:
    match unit:
        case Unit.SECONDS:
            return f"{value:.3f} s"
        case Unit.PER_SECOND:
            return f"{value:,.0f}/s"
        case Unit.BYTES:
            return f"{value / 1_000_000:,.1f} MB"
        case Unit.TIMES:
            return f"{value:.2f}×"
