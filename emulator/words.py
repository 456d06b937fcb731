"""Numbers in sentences."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with the noun that it counts.

    `counted(1, "step")` -> `"1 step"`, `counted(2000, "step")` -> `"2,000 steps"`;
    `counted(2, "vector is", "vectors are")` -> `"2 vectors are"`.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
