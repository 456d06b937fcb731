"""Which of some names was meant by one that is not among them."""

from __future__ import annotations

from collections.abc import Collection


def nearest(name: str, known: Collection[str]) -> str:
    """Return the known name that `name` is most like, or "" if it is like none.

    `nearest("top_k", ["topK", "filter"])` -> `"topK"`: capitals and underscores do not matter.
    """
    plain = _plain(name)
    distances = {each: _distance(plain, _plain(each)) for each in known}
    best = min(distances, key=distances.__getitem__, default="")
    return best if best and distances[best] <= max(1, len(plain) // 3) else ""


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _distance(a: str, b: str) -> int:
    """Return how many characters must be put in, taken out or changed (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]
