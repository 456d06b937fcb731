"""The version of the user's code on disk: a text that is equal for equal code.

For the project's own code it depends on the contents, so that a touched or restored file is not a
change. For vendored packages, and for code after the first megabytes, it depends on size and time.
Other files there (data, templates) can reload a worker, but are not code.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from emulator.watch import folders, matters, unless_exhausted

CODE_SUFFIXES = frozenset(
    {".py", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".wasm"}
)
# A virtual environment or a data set beside the code must not make every reload slow.
READ_MAX_BYTES = 8 * 1024 * 1024


def fingerprint(own: Path, vendored: Path, env: str = "") -> str:
    """Return a text that identifies the code below these two folders, which may not exist.

    env: other things that change what the code does, such as its variables.

    A file that goes away while it is read counts as missing; the end of that save is noticed later.
    Raises OSError when no file descriptor is left.
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
    # A file name may not be text; it must not stop the server.
    return os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace")
