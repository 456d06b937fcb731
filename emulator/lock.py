"""Who may use a state directory: its owner, and of the owner's processes the one with the lock.

A lock file can be removed together with its lock, for example by `git clean`. `is_in_place` finds
out, and `take` locks again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from emulator.disk import refusal
from emulator.errors import StateError

try:
    import fcntl
except ImportError:  # Windows: no advisory locks; dev.json still names a running server
    fcntl = None  # type: ignore[assignment]


class Lock:
    """A lock file. A process that has it locked keeps it until it ends in any way."""

    def __init__(self, path: Path, taken: Callable[[], StateError]) -> None:
        """`taken` returns the error for the case that another process has the lock."""
        self._path = path
        self._taken = taken
        self._handle = -1

    def take(self) -> None:
        """Lock the file; create it if missing. Raises StateError if another process has it."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            handle = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise StateError(refusal(self._path, "cannot be locked", error)) from error
        try:
            check_owner(self._path, os.fstat(handle))
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise self._taken() from None
        except OSError as error:
            os.close(handle)
            raise StateError(refusal(self._path, "cannot be locked", error)) from error
        except BaseException:
            os.close(handle)
            raise
        self.release()
        self._handle = handle

    def is_in_place(self) -> bool:
        """Whether the file at the lock's path is the file that is locked."""
        try:
            return os.path.samestat(os.fstat(self._handle), os.stat(self._path))
        except OSError:
            return False

    def release(self) -> None:
        """Unlock it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def check_owner(path: Path, found: os.stat_result | None = None) -> None:
    """Raise StateError when `path` belongs to another user; OSError when it does not exist.

    Another user could put anything there, links too. In a container, root works on a user's
    project; then the state may belong to that user.
    """
    if not hasattr(os, "geteuid"):  # Windows
        return
    found = found or os.stat(path)
    me = os.geteuid()
    if found.st_uid == me:
        return
    is_the_projects = found.st_uid == os.stat(path.parent).st_uid
    if me == 0 and is_the_projects and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return
    raise StateError(
        f"{path} belongs to {_user(found.st_uid)}, and this is {_user(me)}: only its owner may"
        " use state.\n"
        f"  Make it yours (`sudo chown -R {me} {path}`), or choose another place with"
        " --persist-to DIR."
    )


def _user(uid: int) -> str:
    try:
        import pwd

        return f"user {pwd.getpwuid(uid).pw_name}"
    except (ImportError, KeyError):
        return f"user {uid}"
