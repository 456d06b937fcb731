"""`.assetsignore`: which files of the folder are not assets, in the syntax of .gitignore."""

from __future__ import annotations

import re
from collections.abc import Callable

# What the folder never serves, whatever `.assetsignore` says.
NEVER = ("/.assetsignore", "/_headers", "/_redirects", "/_worker.js")


def matcher(text: str) -> Callable[[str], bool]:
    """Return whether a path, such as `"/a/b.txt"`, is ignored."""
    rules = [found for line in text.splitlines() if (found := _rule(line)) is not None]

    def is_ignored(path: str) -> bool:
        if path in NEVER or path.startswith("/_worker.js/"):
            return True
        # A file in a folder that is ignored stays ignored, whatever is said of the file.
        parts = path.split("/")
        places = ["/".join(parts[:end]) for end in range(2, len(parts) + 1)]
        ignored = False
        for place in places:
            is_folder = place != path
            for expression, negated, folders_only in rules:
                if (is_folder or not folders_only) and expression.fullmatch(place):
                    ignored = not negated
            if ignored and is_folder:
                return True
        return ignored

    return is_ignored


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    """Return the expression of a line, and whether it takes back, and is for folders only."""
    line = re.sub(r"(?<!\\) +$", "", line.rstrip("\r\n"))
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    pattern = line.removeprefix("!") if negated else line
    folders_only = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    if not pattern:
        return None
    anchored = "/" in pattern
    expression = _expression(pattern.removeprefix("/"))
    return (
        re.compile(f"/{expression}" if anchored else f"(?:/.*)?/{expression}"),
        negated,
        folders_only,
    )


def _expression(pattern: str) -> str:
    parts, place = [], 0
    while place < len(pattern):
        rest = pattern[place:]
        if rest.startswith("**/"):
            parts.append("(?:.*/)?")
            place += 3
        elif rest == "**":
            parts.append(".*")
            place += 2
        elif rest[0] == "*":
            parts.append("[^/]*")
            place += 1
        elif rest[0] == "?":
            parts.append("[^/]")
            place += 1
        elif rest[0] == "[" and (end := rest.find("]", 2)) > 0:
            inside = rest[1:end].replace("\\", "\\\\")
            parts.append(f"[{'^' + inside[1:] if inside[0] in '!^' else inside}]")
            place += end + 1
        else:
            escaped = rest[0] == "\\" and len(rest) > 1
            parts.append(re.escape(rest[1] if escaped else rest[0]))
            place += 2 if escaped else 1
    return "".join(parts)
