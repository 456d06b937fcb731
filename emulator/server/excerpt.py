"""The lines of source round the one that failed, from a traceback.

A traceback may have any text in it, such as that of a request. So only source files of the project
are read, and of a Python file only if it still has the line that the traceback shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

AROUND = 5  # lines before and after
FILE_MAX_BYTES = 1_000_000
_SOURCES = frozenset({".py", ".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs"})
_HIDDEN = frozenset({"node_modules", "site-packages", "python_modules"})
_PYTHON = re.compile(r'^ *File "([^"\n]+)", line (\d+)[^\n]*(?:\n +([^\n]+))?', re.MULTILINE)
_JAVASCRIPT = re.compile(r"^ +at [^\n]*?\(?((?:[\w./-]+)):(\d+):\d+\)?$", re.MULTILINE)


class Excerpt(NamedTuple):
    """file: as a person knows it, `"src/entry.py"`. first: the number of the first of `lines`."""

    path: Path
    file: str
    line: int
    first: int
    lines: list[str]


def excerpt_of(traceback: str, project: Path) -> Excerpt | None:
    """Return the lines round the innermost frame of the project; None if there is none to show."""
    for file, line, code in _frames(traceback):
        found = _read(project, file, line, code.strip())
        if found is not None:
            return found
    return None


def _frames(traceback: str) -> Iterator[tuple[str, int, str]]:
    for match in reversed(list(_PYTHON.finditer(traceback))):
        yield match[1], int(match[2]), match[3] or ""
    for match in _JAVASCRIPT.finditer(traceback):
        yield match[1], int(match[2]), ""


def _read(project: Path, file: str, line: int, code: str) -> Excerpt | None:
    path = (project / file).resolve()
    if path.suffix not in _SOURCES or not path.is_relative_to(project.resolve()):
        return None
    below = path.relative_to(project.resolve())
    if any(part.startswith(".") or part in _HIDDEN for part in below.parts):
        return None
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            return None
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    if not 0 < line <= len(lines) or (path.suffix == ".py" and lines[line - 1].strip() != code):
        return None  # the file has changed since
    first = max(line - AROUND, 1)
    return Excerpt(path, below.as_posix(), line, first, lines[first - 1 : line + AROUND])
