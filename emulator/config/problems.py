"""Collects what is wrong with a project's configuration, so that all of it is said at once.

Owns the report and how values are quoted in it. Never quotes a value that may be a secret: callers
that read `.dev.vars` and `.env` name keys and lines only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct, field

from emulator.config.model import Problem
from emulator.errors import ConfigError
from emulator.json_types import Json
from emulator.words import escaped

QUOTED_MAX_CHARS = 60


class InvalidConfig(ConfigError):
    """The configuration cannot be used; `str(error)` is the whole report, worst first.

    `problems` must be corrected, `warnings` need not. `files` is what was read or looked for: when
    one of them changes, another try may succeed.
    """

    def __init__(
        self, problems: Sequence[Problem], warnings: Sequence[Problem], files: Sequence[Path]
    ) -> None:
        lines = [str(problem) for problem in problems]
        lines += [f"warning: {warning}" for warning in warnings]
        super().__init__("\n".join(lines))
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        self.files = tuple(files)


class Fault(Exception):
    """A text that cannot be read as what it should be; becomes one Problem of the report.

    `line` and `column` count from 1; 0 when the fault is not at one place.
    """

    def __init__(self, text: str, fix: str = "", *, line: int = 0, column: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.fix = fix
        self.line = line
        self.column = column

    def problem(self, shown: str) -> Problem:
        """Return this fault as a Problem of the file that is shown as `shown`."""
        where = shown
        if self.line:
            where += f":{self.line}" + (f":{self.column}" if self.column else "")
        return Problem(where, self.text, self.fix)


class Report(Struct):
    """Everything found so far."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def error(self, where: str, text: str, fix: str = "") -> None:
        """Add a problem that must be corrected before the worker can run."""
        self.problems.append(Problem(where, text, fix))

    def warn(self, where: str, text: str, fix: str = "") -> None:
        """Add a warning; it does not stop the worker."""
        self.warnings.append(Problem(where, text, fix))


def quoted(value: Json) -> str:
    """Return `value` as it is named in a message: `"abc"`, `5`, `true`, `an array`, `an object`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        cut = value if len(value) <= QUOTED_MAX_CHARS else value[: QUOTED_MAX_CHARS - 1] + "…"
        mark = "'" if '"' in cut and "'" not in cut else '"'
        return mark + escaped(cut) + mark
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return f"{value:.6g}" if abs(value) >= 1e15 else str(value)
    return f"the date {value}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `name` was probably meant to be, or None."""
    import difflib  # only needed for problems

    by_folded = {key.lower().replace("-", "_"): key for key in known}
    folded = name[:QUOTED_MAX_CHARS].lower().replace("-", "_")
    matches = difflib.get_close_matches(folded, by_folded, n=1, cutoff=0.7)
    return by_folded[matches[0]] if matches else None


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return words as a sentence lists them: `a, b and c`."""
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
