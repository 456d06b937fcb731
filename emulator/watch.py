"""Which files matter to a worker, and the changes to them.

Folders are watched one by one, without those that never matter, so that a `.venv` or
`node_modules` beside the code costs nothing. If the system refuses to watch more files, they are
checked at intervals instead. This module reports changes; the supervisor decides what follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fnmatch
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.clock import SystemClock

if TYPE_CHECKING:
    from watchfiles.main import FileChange

GUEST_BEGINS_S = 0.005  # after that a guest has been asked to load
MODIFIED = 2  # `watchfiles.Change.modified`
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
# Compiled code, files that editors write beside an edited file, and logs.
IGNORED_FILES = (
    *("*.pyc", "*~", "*.swp", "*.swx", ".#*", "#*#", "4913"),
    *("*.tmp", "*.part", "*.bak", "*.orig", "*.log"),
)
# Formatters and branch switches save many files at once. Such a burst ends after STEP_MS without a
# change, and after DEBOUNCE_MS at the latest. A single save is reported after about STEP_MS.
STEP_MS = 10
DEBOUNCE_MS = 200
LOOK_EVERY_S = 0.3
WATCH_AGAIN_S = 30.0  # after the system has refused to watch
FILE_TIMES_LAG_MS = 10  # systems give files the time of their last tick

CANNOT_WATCH = (
    "Files cannot be watched for changes ({reason}); they are checked every"
    f" {LOOK_EVERY_S:g} s instead. Watching is tried again every {WATCH_AGAIN_S:g} s.\n"
    "  On Linux raise the limit that is reached: `sudo sysctl fs.inotify.max_user_instances=1024"
    " fs.inotify.max_user_watches=524288`, or `ulimit -n 4096` before the start."
)

Snapshot = dict[Path, tuple[int, int]]  # of each file: time of the last write in ns, size in bytes

NO_STATE = (0, 0)  # of a file whose state is not known: it counts as changed


@contextlib.contextmanager
def unless_exhausted() -> Iterator[None]:
    """Ignore OSErrors of files that go away, but not the error that no descriptor is left.

    Without a free descriptor, existing files would look missing.
    """
    try:
        yield
    except OSError as error:
        _raise_if_exhausted(error)


def _raise_if_exhausted(error: OSError) -> None:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        raise error


def matters(path: Path) -> bool:
    """Return whether a change of `path` can change what the worker does."""
    return path.name not in IGNORED_FOLDERS and not any(
        fnmatch.fnmatch(path.name, pattern) for pattern in IGNORED_FILES
    )


def _own_output() -> frozenset[tuple[int, int]]:
    """Return the files that our own output goes to, by device and number.

    With `groundfog dev > output` beside the code, each reload would be the reason of another one.
    """
    found = set()
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # it is closed
            stat = os.fstat(descriptor)
            found.add((stat.st_dev, stat.st_ino))
    return frozenset(found)


def folders(root: Path) -> list[Path]:
    """Return `root` and every folder below it that can have code; links are followed.

    Raises OSError when no file descriptor is left.
    """
    found = []
    seen: set[str] = set()
    for folder, names, _ in os.walk(root, followlinks=True, onerror=_raise_if_exhausted):
        real = os.path.realpath(folder)
        if real in seen:  # a link back up, or a second one to the same folder
            names.clear()
            continue
        seen.add(real)
        names[:] = [name for name in names if name not in IGNORED_FOLDERS]
        found.append(Path(folder))
    return found


def _linked_files(folder: Path) -> list[Path]:
    """Return the targets of the links to files in `folder`: editors write there."""
    with unless_exhausted(), os.scandir(folder) as entries:
        return [Path(os.path.realpath(e.path)) for e in entries if e.is_symlink() and e.is_file()]
    return []


class Scope(Struct, frozen=True):
    """What is watched: everything that matters in some folders, and single files elsewhere."""

    trees: frozenset[Path]
    single: frozenset[Path]
    own: frozenset[tuple[int, int]]  # our own output, by device and number

    @classmethod
    def of(cls, roots: Iterable[Path], files: Iterable[Path]) -> Scope:
        found = (folder.resolve() for root in roots if root.is_dir() for folder in folders(root))
        trees = frozenset(found)
        single = {path.resolve() for path in files}
        for folder in trees:
            single.update(file for file in _linked_files(folder) if matters(file))
        return cls(trees, frozenset(single), _own_output())

    @property
    def folders(self) -> frozenset[Path]:
        return self.trees | {path.parent for path in self.single if path.parent.is_dir()}

    def covers(self, _change: object, name: str) -> bool:
        path = Path(name)
        if not self._covers_name(path):
            return False
        with contextlib.suppress(OSError):  # it has gone
            return not self._is_own(path.stat())
        return True

    def _covers_name(self, path: Path) -> bool:
        return path in self.single or (path.parent in self.trees and matters(path))

    def _is_own(self, stat: os.stat_result) -> bool:
        return (stat.st_dev, stat.st_ino) in self.own

    def has(self, path: Path) -> bool:
        """Whether a change of this file is one of the scope."""
        return self.covers(MODIFIED, str(path))

    def snapshot(self) -> Snapshot:
        found = {}
        for folder in self.folders:
            with unless_exhausted(), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_file() and self._covers_name(Path(entry.path)):
                        stat = entry.stat()
                        if not self._is_own(stat):
                            found[Path(entry.path)] = (stat.st_mtime_ns, stat.st_size)
        return found

    def bursts(self) -> AsyncGenerator[set[FileChange], None]:
        import watchfiles  # not at the top: workers in tests are not watched

        return watchfiles.awatch(
            *sorted(self.folders),
            watch_filter=self.covers,
            recursive=False,
            step=STEP_MS,
            debounce=DEBOUNCE_MS,
            rust_timeout=60_000,
            ignore_permission_denied=True,
        )


async def get_ready() -> None:
    """Import what `changes` needs, while a guest loads and the host has nothing else to do."""
    await asyncio.sleep(GUEST_BEGINS_S)
    import anyio
    import watchfiles  # noqa: F401

    anyio.get_cancelled_exc_class()  # which imports its half for asyncio


def snapshot(roots: Iterable[Path], files: Iterable[Path]) -> Snapshot:
    """Return the present state of the files that `changes` watches. Raises OSError: `folders`."""
    return Scope.of(roots, files).snapshot()


async def saved_again(roots: Iterable[Path], files: Iterable[Path]) -> None:
    """Return when a file that matters has changed since the call, at most `LOOK_EVERY_S` late.

    It is for the short time in which nobody reads `changes`.
    """
    scope = Scope.of(roots, files)
    before = scope.snapshot()
    while scope.snapshot() == before:
        await asyncio.sleep(LOOK_EVERY_S)


async def changes(
    roots: Callable[[], Iterable[Path]],
    files: Callable[[], Iterable[Path]],
    known: Snapshot | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> AsyncIterator[frozenset[Path]]:
    """Yield the files of each burst of changes below `roots()` and in `files()`.

    known: an earlier snapshot; changes since then come first.
    tell: gets a message when the system does not watch files.

    `roots` and `files` are called again after every burst, as a reload may change them. Changes
    while the caller handles a burst are in the next one. A file is no change because it is watched
    from now on, or no longer.
    """
    before_scope = scope = await _scope(roots, files)
    known = look(scope, {}) if known is None else known
    looked_ns = now_ns()
    while True:
        bursts = _bursts(scope, tell)
        burst = asyncio.ensure_future(anext(bursts))
        try:
            await asyncio.sleep(0)  # now it watches
            before, known = known, look(scope, known)
            changed = {path for path, _ in before.items() ^ known.items()}
            if scope != before_scope:
                changed = {
                    path
                    for path in changed
                    if (path in before or before_scope.has(path) or known[path][0] >= looked_ns)
                    and (path in known or scope.has(path))
                }
            looked_ns = now_ns()
            if changed:
                yield frozenset(changed)
            while (now := await _scope(roots, files)) == scope:
                paths = {Path(name) for _, name in await burst}
                burst = asyncio.ensure_future(anext(bursts))
                before, known = known, look(scope, known)
                looked_ns = now_ns()
                # A file that was created and removed in one burst was not a file of the project.
                files_known = before.keys() | known.keys()
                if lasting := frozenset(p for p in paths if p in files_known or p.is_dir()):
                    yield lasting
            before_scope, scope = scope, now
        finally:
            burst.cancel()
            await asyncio.gather(burst, return_exceptions=True)
            await bursts.aclose()


def now_ns() -> int:
    """Return a time that every file written from now on has, or a later one."""
    return (SystemClock().now_ms() - FILE_TIMES_LAG_MS) * 1_000_000


async def _scope(roots: Callable[[], Iterable[Path]], files: Callable[[], Iterable[Path]]) -> Scope:
    """Return what to watch; wait until a file descriptor is free for it."""
    while True:
        try:
            return Scope.of(roots(), files())
        except OSError:
            await asyncio.sleep(LOOK_EVERY_S)


def look(scope: Scope, known: Snapshot) -> Snapshot:
    """Return the present state of the files, or `known` if they cannot be read."""
    try:
        return scope.snapshot()
    except OSError:
        return known


async def _bursts(
    scope: Scope, tell: Callable[[str], None]
) -> AsyncGenerator[set[FileChange], None]:
    """Yield bursts of changes: from the system if it watches, else from checks at intervals."""
    told = False
    while True:
        try:
            async for burst in scope.bursts():
                told = False
                yield burst
            return
        except FileNotFoundError:  # a folder was removed, which is a change itself
            pass
        except (OSError, RuntimeError) as error:  # RuntimeError: watchfiles' own
            if not told:
                tell(CANNOT_WATCH.format(reason=error))
            told = True
        async for burst in _looked_for(scope):
            yield burst


async def _looked_for(scope: Scope) -> AsyncGenerator[set[FileChange], None]:
    """Yield the changes that repeated checks find, for `WATCH_AGAIN_S` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + WATCH_AGAIN_S
    known = look(scope, {})
    while loop.time() < end:
        await asyncio.sleep(LOOK_EVERY_S)
        before, known = known, look(scope, known)
        if changed := {path for path, _ in before.items() ^ known.items()}:
            from watchfiles import Change

            yield {(Change(MODIFIED), os.fspath(path)) for path in changed}
