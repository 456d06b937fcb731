"""Why a disk refuses, and what to do about it; and durable folders and small files.

A full disk, a failing disk and a file of another user are not damage. The message says what to free
or to change, and never asks the user to delete data.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from enum import StrEnum
from pathlib import Path

AFRESH = (  # without --persist-to, a reset would delete good state in the usual place
    "Restore it from a copy, or start afresh with `groundfog state reset`, and with the same"
    " --persist-to if you gave one."
)
ROOM_BYTES = 64 * 1024  # with less, SQLite cannot create its own files beside a database


class Trouble(StrEnum):
    """The causes of a refusal; the text says what to do."""

    FULL = "Nothing was changed. Free some space there, or raise the quota, and start again."
    FAILING = "Nothing was changed. The system's log says more; copy the folder before you go on."
    READ_ONLY = "Mount it for writing, or choose another place with --persist-to DIR."
    FORBIDDEN = (
        "Give yourself the right to write (`ls -ld` shows the owner), or choose another place with"
        " --persist-to DIR."
    )
    IN_USE = "Nothing was changed. Close other programs that use it, such as a database viewer."
    TOO_MANY = "Raise the limit of open files (`ulimit -n 4096`), or close some, and start again."
    DAMAGED = f"Nothing was changed. {AFRESH}"
    OTHER = "Nothing was changed."


_BY_ERRNO = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), Trouble.FULL),
    errno.EIO: Trouble.FAILING,
    errno.EROFS: Trouble.READ_ONLY,
    **dict.fromkeys((errno.EACCES, errno.EPERM), Trouble.FORBIDDEN),
    **dict.fromkeys((errno.EBUSY, errno.ETXTBSY), Trouble.IN_USE),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), Trouble.TOO_MANY),
}
_BY_SQLITE = {
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_IOERR: Trouble.FAILING,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_PERM: Trouble.FORBIDDEN,
    **dict.fromkeys(
        (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL), Trouble.IN_USE
    ),
    **dict.fromkeys((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB), Trouble.DAMAGED),
}


def refusal(path: Path, what: str, error: OSError | sqlite3.Error) -> str:
    """Return the message about `error` at `path`, with the remedy on its own line.

    `refusal(path, "the journal cannot be opened", error)` ->
    `"/p/journal.sqlite: the journal cannot be opened (the disk is full).\\n  Free some space …"`.
    """
    trouble = trouble_of(path, error)
    why = "the disk is full" if trouble is Trouble.FULL else _reason(error)
    return f"{path}: {what} ({why}).\n  {trouble.value}"


def trouble_of(path: Path, error: OSError | sqlite3.Error) -> Trouble:
    """Return the cause of `error`, which was raised when `path` was used."""
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0, Trouble.OTHER)
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python's module, not by SQLite, for example for a damaged header
        return Trouble.DAMAGED if type(error) is sqlite3.DatabaseError else Trouble.OTHER
    trouble = _BY_SQLITE.get(code & 0xFF, Trouble.OTHER)
    if trouble in (Trouble.FAILING, Trouble.OTHER) and is_full(path):
        return Trouble.FULL  # for the files beside a database, SQLite says only that I/O failed
    if code & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return _unwritable(path, trouble)
    return trouble


def is_full(path: Path) -> bool:
    """Whether the file system of `path` says that it has no room left."""
    try:
        found = os.statvfs(_existing(path))
    except (OSError, AttributeError):  # Windows has no statvfs
        return False
    return found.f_bavail * found.f_frsize < ROOM_BYTES or (
        found.f_files > 0 and found.f_favail == 0
    )


def make_folder(path: Path) -> None:
    """Create a folder, and those above it, private to the user; durable when this returns.

    Raises OSError. An existing folder stays as it is.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in missing:
        sync_folder(folder.parent)


def sync_folder(path: Path) -> None:
    """Make creations, renames and removals in a folder durable. Raises OSError."""
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def create_file(path: Path, content: str | bytes, *, synced: bool = True) -> None:
    """Write a new file, private to the user, completely or not at all; durable on return.

    synced: False leaves it to the system when the file reaches the disk.

    Raises FileExistsError if there is a file or a link: it never writes through a link.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    handle = os.open(path, flags, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if synced:
                os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def replace_file(path: Path, content: str | bytes, *, synced: bool = True) -> None:
    """Replace a file, completely or not at all; durable on return. Raises OSError.

    synced: False leaves it to the system when the file reaches the disk.

    A link at `path`, or at `path` with `.new` added, is replaced and not followed.
    """
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)  # a file from before a crash, or a link
    create_file(temporary, content, synced=synced)
    temporary.replace(path)
    if synced:
        sync_folder(path.parent)


def open_unlinked(path: str, flags: int) -> int:
    """Open a file, but not a link: an `opener` for `open`. Raises OSError."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)


def refuse_foreign_link(path: Path) -> None:
    """Raise OSError if another user has put a link at the place of our file."""
    if not path.is_symlink() or not hasattr(os, "geteuid"):
        return
    if os.lstat(path).st_uid not in (os.geteuid(), 0):
        raise OSError(errno.ELOOP, "a link of another user", os.fspath(path))


def _unwritable(path: Path, otherwise: Trouble) -> Trouble:
    """Return why a file cannot be written: the disk, or the user."""
    existing = _existing(path)
    with contextlib.suppress(OSError, AttributeError):
        if os.statvfs(existing).f_flag & os.ST_RDONLY:
            return Trouble.READ_ONLY
    may = os.access(existing, os.W_OK) and os.access(existing.parent, os.W_OK | os.X_OK)
    return otherwise if may else Trouble.FORBIDDEN


def _existing(path: Path) -> Path:
    return next((each for each in (path, *path.parents) if each.exists()), Path("/"))


def _reason(error: OSError | sqlite3.Error) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
