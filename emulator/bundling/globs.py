"""The globs of module rules, as regular expressions.

wrangler reads them in two ways: for imports, `*` fits every text; for files below a folder, `*`
stays inside of one folder and `**` goes through any number of them.
Source: docs/platform/bundling.md, "Modules that are not JavaScript".
"""

from __future__ import annotations

import re
from collections.abc import Callable

_STARS = re.compile(r"\*+")
_SEGMENTS = re.compile(r"(?P<any>(?<![^/])\*\*+(?:/|$))|\*+")


def of_imports(glob: str) -> str:
    """Return the pattern for paths as imports write them; Go and Python read it alike."""
    return _pattern(glob, _STARS, lambda _: ".*")


def of_files(glob: str) -> str:
    """Return the pattern for paths of files, relative to a folder and with `/`."""
    return _pattern(glob, _SEGMENTS, lambda found: "(?:[^/]*(?:/|$))*" if found["any"] else "[^/]*")


def _pattern(glob: str, stars: re.Pattern[str], by: Callable[[re.Match[str]], str]) -> str:
    result, end = "", 0
    for found in stars.finditer(glob):
        result += re.escape(glob[end : found.start()]) + by(found)
        end = found.end()
    return f"^{result}{re.escape(glob[end:])}$"
