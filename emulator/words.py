"""Numbers, foreign text and names from user code in sentences."""

from __future__ import annotations

from enum import StrEnum


class Language(StrEnum):
    """What the code of a worker is written in, by the name that REST has for it."""

    PYTHON = "python"
    TYPESCRIPT = "typescript"  # and JavaScript

    def step(self, kind: str) -> str:
        """Return how user code calls a kind of step: `"waitForEvent"` -> `"wait_for_event"`."""
        return "wait_for_event" if self is Language.PYTHON and kind == "waitForEvent" else kind


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with the noun that it counts.

    `counted(1, "step")` -> `"1 step"`, `counted(2000, "step")` -> `"2,000 steps"`;
    `counted(2, "vector is", "vectors are")` -> `"2 vectors are"`.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def escaped(text: str) -> str:
    """Return `text` with an escape for each character that is invisible or controls a terminal.

    `"a\\nb"` -> `"a\\\\nb"`; a space stays, a no-break space does not.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
