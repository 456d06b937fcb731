"""Which files matter to a worker, and the stream of changes to them.

Folders are watched one by one, without those that never matter, so that a `.venv` or
`node_modules` beside the code costs nothing. It reports that something changed; what that means is
the supervisor's business.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from watchfiles import Change, awatch

IGNORED_FOLDERS = frozenset(
    {
        "__pycache__",
        "node_modules",
        ".git",
        ".groundfog",
        ".wrangler",
        ".venv",
        ".venv-workers",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".idea",
        ".vscode",
    }
)
# Compiled code, and what editors write beside a file while it is being edited.
IGNORED_FILES = ("*.pyc", "*~", "*.swp", "*.swx", ".#*", "#*#", "4913", "*.tmp", "*.part")
# Saves by formatters and branch switches come in bursts: a burst ends after STEP_MS of quiet, and
# is cut after DEBOUNCE_MS. A single save is reported after about one step.
STEP_MS = 10
DEBOUNCE_MS = 200


def matters(path: Path) -> bool:
    """Return whether a change of `path` can change what the worker does."""
    return not any(fnmatch.fnmatch(path.name, pattern) for pattern in IGNORED_FILES)


def folders(root: Path) -> list[Path]:
    """Return `root` and every folder below it that can hold code."""
    found = []
    for folder, names, _ in os.walk(root):
        names[:] = [name for name in names if name not in IGNORED_FOLDERS]
        found.append(Path(folder))
    return found


async def changes(
    roots: Callable[[], Iterable[Path]], files: Callable[[], Iterable[Path]]
) -> AsyncIterator[frozenset[Path]]:
    """Yield the files of each burst of changes: everything below `roots()`, and `files()`.

    Both are asked again after every burst, since a reload may change what is watched.
    """
    while True:
        trees = [folder for root in roots() if root.is_dir() for folder in folders(root)]
        single = {path.resolve() for path in files()}
        tree_set = {folder.resolve() for folder in trees}
        watched = tree_set | {path.parent for path in single if path.parent.is_dir()}

        def relevant(
            change: Change,
            name: str,
            single: set[Path] = single,
            tree_set: set[Path] = tree_set,
        ) -> bool:
            path = Path(name)
            return path in single or (path.parent in tree_set and matters(path))

        async for burst in awatch(
            *sorted(watched),
            watch_filter=relevant,
            recursive=False,
            step=STEP_MS,
            debounce=DEBOUNCE_MS,
            rust_timeout=60_000,
            ignore_permission_denied=True,
        ):
            paths = frozenset(Path(name) for _, name in burst)
            if not all(path.name in IGNORED_FOLDERS for path in paths):
                yield paths
            break  # folders may have come or gone
