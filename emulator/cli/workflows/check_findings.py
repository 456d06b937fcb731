"""What `groundfog workflows check` has found, as findings with places: for code scanning and CI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from emulator.checking import Checked
from emulator.cli.divergences import grouped, names_of
from emulator.config.model import Config
from emulator.engine.guard.held import runs_again, sentence
from emulator.engine.model.divergence import Diverged, Policy
from emulator.findings import Finding, Severity

_UNKNOWN = "Do that in a step, and the code can be compared before anything runs."
_MISSING = "Put it back, or let these instances end before you deploy."


def findings_of(checked: Sequence[Checked], config: Config) -> list[Finding]:
    """Return a finding for each way in which code does not fit instances, however many they are."""
    places = {each.workflow: each.place for each in checked}
    found = [
        Diverged(each.workflow, each.id, each.divergence, Policy.HOLD, config.language)
        for each in checked
        if each.divergence is not None
    ]
    told = [each for alike in grouped(found) for each in _alike(alike, config, places)]
    for each in checked:
        if each.problem:
            text = f"{each.workflow} {each.id}: {each.problem}"
            told.append(Finding(config.path, 0, "replay-missing", text, _MISSING, Severity.ERROR))
    return sorted(told)


def _alike(alike: list[Diverged], config: Config, places: dict[str, str]) -> list[Finding]:
    first = alike[0]
    divergence, whose = first.divergence, names_of(alike)
    if divergence.stands == "restless":
        path, line = _place(places[first.workflow], config)
        text = f"{whose} cannot be compared: {divergence.why} outside of steps"
        return [Finding(path, line, "replay-unknown", text, _UNKNOWN)]
    found = []
    for finding in divergence.findings:
        path, line = _place(finding.line or places[first.workflow], config)
        kind = f"replay-{finding.change.value.replace(' ', '-').replace('_', '-')}"
        text = f"{whose}: {sentence(finding, config.language)}"
        advice = f"If it continued: {runs_again(divergence)}."
        found.append(Finding(path, line, kind, text, advice, Severity.ERROR))
    return found


def _place(shown: str, config: Config) -> tuple[Path, int]:
    """Return file and line of `"src/entry.py:31"`; the configuration if there is no place."""
    place = re.fullmatch(r"(.+):(\d+)", shown)
    if place is None:
        return (config.project_dir / shown, 0) if shown else (config.path, 0)
    return config.project_dir / place[1], int(place[2])
