"""Which version of the user's code is on disk: a text that is equal for equal code.

The project's own code is told by its contents, so that a touched or restored file is no change;
vendored packages, and what is past the first megabytes, by size and time. What else lies there
(data, templates) can reload a worker but does not make it other code.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from emulator.watch import folders, matters, unless_exhausted

CODE_SUFFIXES = frozenset(
    {".py", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".wasm"}
)
# An environment or a data set beside the code must not make every reload wait.
READ_MAX_BYTES = 8 * 1024 * 1024


def fingerprint(own: Path, vendored: Path, env: str = "") -> str:
    """Return what identifies the code below these two folders; neither need exist.

    env: what else decides what the code does, such as its variables.

    A file that goes away while it is read counts as absent: the save that did it is still to come.
    Raises OSError when no descriptor is left to read any.
    """
    found = sha256(env.encode("utf-8", "backslashreplace"))
    left_bytes = READ_MAX_BYTES
    for path in _code_below(own):
        if path.is_relative_to(vendored):
            continue
        with unless_exhausted():
            left_bytes -= path.stat().st_size
            told = _stamp(path) if left_bytes < 0 else sha256(path.read_bytes()).hexdigest()
            found.update(f"{_name(path, own)}\0{told}\n".encode())
    for path in _code_below(vendored):
        with unless_exhausted():
            found.update(f"{_name(path, vendored)}\0{_stamp(path)}\n".encode())
    return found.hexdigest()


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _code_below(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    found = []
    for folder in folders(root):
        with unless_exhausted(), os.scandir(folder) as entries:
            found += [Path(e.path) for e in entries if _is_code(Path(e.path)) and e.is_file()]
    return sorted(found)


def _is_code(path: Path) -> bool:
    return path.suffix in CODE_SUFFIXES and matters(path)


def _name(path: Path, root: Path) -> str:
    # A name that is no text is one all the same; it must not stop the server.
    return os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace")
