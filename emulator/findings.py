"""One thing that a check has found in a project. `cli/findings.py` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """How bad a finding is. The names are those of SARIF and of annotations on GitHub."""

    ERROR = "error"  # it fails, or loses something
    WARNING = "warning"  # it may fail


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """path: the file. line: from 1; 0 for the whole file. kind: a short name of the rule.

    text: what was found. advice: why it matters, and what to do.
    """

    path: Path
    line: int
    kind: str
    text: str
    advice: str
    severity: Severity = Severity.WARNING
