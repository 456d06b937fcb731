"""The files of the folder: whether there is one at a path, its ETag, its bytes. Nothing outside.

A path is a decoded path of a URL. A link that leads out of the folder is no asset, nor is a path
with `..`, a backslash or a NUL in it.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable
from hashlib import blake2b
from pathlib import Path
from time import monotonic

from msgspec import Struct

from bindings.assets.ignored import matcher
from bindings.assets.rule_files import HeaderRule, Redirect, read_headers, read_redirects

PIECE_BYTES = 256 * 1024
LOOK_EVERY_S = 0.25  # at the files of rules
KNOWN_MAX = 100_000


class File(Struct, frozen=True):
    """A file as it was found. `seen` is equal as long as the file is the same."""

    path: str
    size: int
    seen: tuple[int, int, int]
    is_inside: bool
    etag: str = ""


class _Rules(Struct):
    """What the files of rules say, as of `seen`."""

    seen: tuple[object, ...] = ()
    looked_s: float = -1.0
    is_ignored: Callable[[str], bool] = matcher("")
    headers: tuple[HeaderRule, ...] = ()
    redirects: tuple[Redirect, ...] = ()


class Folder:
    """The folder of assets. told: gets what is wrong in the files of rules."""

    def __init__(self, directory: Path, html_handling: str, told: Callable[[str], None]) -> None:
        self._root = os.fspath(directory)
        self._html_handling = html_handling
        self._told = told
        self._known: dict[str, File] = {}
        self._rules = _Rules()

    @property
    def headers(self) -> tuple[HeaderRule, ...]:
        """The rules of `_headers`."""
        return self._looked().headers

    @property
    def redirects(self) -> tuple[Redirect, ...]:
        """The rules of `_redirects`."""
        return self._looked().redirects

    def find(self, path: str) -> File | None:
        """Return the asset at a path, such as `"/a/index.html"`; None if there is none."""
        parts = path.split("/")[1:]
        if not parts or any(part in ("", ".", "..") for part in parts):
            return None
        if "\\" in path or "\0" in path or self._looked().is_ignored(path):
            return None
        full = self._root + path
        try:
            found = os.stat(full)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        known = self._known.get(path)
        if known is None or known.seen != seen:
            known = self._remember(path, File(full, found.st_size, seen, self._is_inside(full)))
        return known if known.is_inside else None

    async def etag(self, path: str, file: File) -> str:
        """Return the hash of a file's content."""
        if not file.etag:
            if file.size <= PIECE_BYTES:
                etag = _hashed(file.path)
            else:
                etag = await asyncio.to_thread(_hashed, file.path)
            file = File(file.path, file.size, file.seen, file.is_inside, etag)
            self._remember(path, file)
        return file.etag

    def _remember(self, path: str, file: File) -> File:
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[path] = file
        return file

    def _is_inside(self, full: str) -> bool:
        root = os.path.realpath(self._root)
        return os.path.realpath(full).startswith(root + os.sep)

    def _looked(self) -> _Rules:
        """Return the rules, read again when a file of them has changed."""
        rules = self._rules
        now_s = monotonic()
        if now_s - rules.looked_s < LOOK_EVERY_S:
            return rules
        rules.looked_s = now_s
        names = (".assetsignore", "_headers", "_redirects")
        seen = tuple(_seen(os.path.join(self._root, name)) for name in names)
        if seen != rules.seen:
            rules.seen = seen
            ignore, headers, redirects = (self._text(name) for name in names)
            rules.is_ignored = matcher(ignore)
            found, problems = read_headers(headers)
            rules.headers = tuple(found)
            leads, more = read_redirects(redirects, self._html_handling)
            rules.redirects = tuple(leads)
            for name, wrong in (("_headers", problems), ("_redirects", more)):
                for problem in wrong:
                    self._told(f"{os.path.join(self._root, name)}: {problem}")
        return rules

    def _text(self, name: str) -> str:
        try:
            with open(os.path.join(self._root, name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""


async def pieces(file: File, start: int, end: int) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from `start` to before `end`; a large file on a thread."""
    if end - start <= PIECE_BYTES:
        yield _read(file.path, start, end - start)
        return
    while start < end:
        piece = await asyncio.to_thread(_read, file.path, start, min(PIECE_BYTES, end - start))
        if not piece:
            raise OSError(f"{file.path} became shorter while it was sent")
        yield piece
        start += len(piece)


def _read(path: str, start: int, size: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(size)


def _hashed(path: str) -> str:
    digest = blake2b(digest_size=16)
    with open(path, "rb") as file:
        while piece := file.read(1024 * 1024):
            digest.update(piece)
    return digest.hexdigest()


def _seen(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
