"""The state directory `.groundfog/`, which has everything durable of one project.

Owns its layout, its lock (one server at a time) and `dev.json`, with which commands find a running
server. It never looks inside the other files.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from emulator.config.model import Config
from emulator.disk import create_file, make_folder, refusal, replace_file
from emulator.errors import StateError
from emulator.lock import Lock, check_owner

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

DIRECTORY_NAME = ".groundfog"
OBJECTS = "do"  # the folder of Durable Objects
CREATED = "created.json"  # what was created over REST
# The other entries of the directory are files of bindings.
CONTENTS = (
    CREATED,
    *("clock.json", "journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"),
    *("workerd", "polyfills.json"),
)


class RunningServer(Struct, frozen=True):
    """The server that uses this state, as in `dev.json`. `token` opens the control routes."""

    pid: int
    ip: str
    port: int
    token: str
    debug_port: int | None = None  # on loopback, where editors attach
    certificate: str = ""  # the file of the one that it speaks HTTPS with

    @property
    def url(self) -> str:
        """The server's address, as a person would type it."""
        return self.url_for(f"[{self.ip}]" if ":" in self.ip else self.ip)

    def url_for(self, host: str) -> str:
        """Return its address under another name."""
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


class State(Struct, frozen=True):
    """One state directory. `prepare` creates the folder; until then nothing is touched."""

    directory: Path

    @classmethod
    def locate(cls, config: Config, persist_to: Path | None = None) -> State:
        """Return the project's state: `.groundfog/` beside the config, or `--persist-to`."""
        if persist_to is not None:
            return cls(Path.cwd() / persist_to)
        return cls(config.path.parent / DIRECTORY_NAME)

    @property
    def journal(self) -> Path:
        """The workflow journal."""
        return self.directory / "journal.sqlite"

    def database(self, folder: str, identifier: str) -> Path:
        """Return the SQLite file of a binding that keeps its data in `folder` under this id."""
        return self.directory / folder / f"{_file_stem(identifier)}.sqlite"

    def object(self, unique_key: str, identifier: str) -> Path:
        """Return the SQLite file of a Durable Object of the class with this key."""
        return self.objects(unique_key) / f"{identifier}.sqlite"

    def objects(self, unique_key: str) -> Path:
        """Return the folder with the files of the objects of a class."""
        return self.directory / OBJECTS / _file_stem(unique_key)

    @property
    def created(self) -> Path:
        """The list of what was created over REST."""
        return self.directory / CREATED

    def prepare(self) -> None:
        """Create the folder, private to the user and ignored by git.

        Raises StateError if that is impossible, and if the folder belongs to somebody else.
        """
        try:
            make_folder(self.directory)
            check_owner(self.directory)
            with contextlib.suppress(FileExistsError):
                create_file(self.directory / ".gitignore", "*\n")
        except OSError as error:
            text = "the state directory cannot be created"
            raise StateError(refusal(self.directory, text, error)) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[Lock]:
        """Hold the state for one server or command, as `lock` does, with `private_files`."""
        with private_files():
            lock = self.lock()
            try:
                yield lock
            finally:
                lock.release()

    def lock(self) -> Lock:
        """Take the state for one server. Raises StateError naming the server that has it."""
        self.prepare()
        lock = Lock(self.directory / "lock", self._taken)
        lock.take()
        return lock

    def read_clock(self) -> dict[str, int]:
        """Return the last record of `write_clock`, or an empty one. Raises StateError."""
        path = self.directory / "clock.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise StateError(f"{path}: cannot be read ({error}). Delete it to go on.") from error
        if not isinstance(record, dict) or not all(isinstance(v, int) for v in record.values()):
            raise StateError(f"{path}: is not a record of a clock. Delete it to go on.")
        return record

    def write_clock(self, record: dict[str, int], *, synced: bool = True) -> None:
        """Save the time of a virtual clock; `synced`: durably. Raises StateError."""
        self._write("clock.json", record, synced=synced)

    def announce(
        self, ip: str, port: int, debug_port: int | None = None, certificate: str = ""
    ) -> RunningServer:
        """Write `dev.json` for the server that has just begun to listen; only the user reads it."""
        server = RunningServer(os.getpid(), ip, port, _new_token(), debug_port, certificate)
        self.write_server(server)
        return server

    def write_server(self, server: RunningServer) -> None:
        """Write `dev.json`. Raises StateError."""
        record: dict[str, Any] = {"pid": server.pid, "ip": server.ip, "port": server.port}
        record["token"] = server.token
        if server.debug_port is not None:
            record["debugPort"] = server.debug_port
        if server.certificate:
            record |= {"protocol": "https", "certificate": server.certificate}
        self._write("dev.json", record)

    @property
    def is_announced(self) -> bool:
        """Whether there is a `dev.json`."""
        return (self.directory / "dev.json").exists()

    def _write(self, name: str, record: dict[str, Any], *, synced: bool = True) -> None:
        path = self.directory / name
        try:
            replace_file(path, json.dumps(record), synced=synced)
        except OSError as error:
            raise StateError(refusal(path, "cannot be written", error)) from error

    def retract(self) -> None:
        """Remove `dev.json`; the server no longer listens."""
        with contextlib.suppress(OSError):  # without its lock it is stale, and does not count
            (self.directory / "dev.json").unlink()

    def running_server(self) -> RunningServer | None:
        """Return the running server of this state, or None; a stale `dev.json` does not count.

        Raises StateError if the directory belongs to somebody else.
        """
        if fcntl is None:
            return self._read_dev_json()
        try:
            check_owner(self.directory)  # somebody else could name another server there
            handle = os.open(self.directory / "lock", os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return self._read_dev_json()
        finally:
            os.close(handle)
        return None

    def _taken(self) -> StateError:
        server = self._read_dev_json()
        who = f"a running server (pid {server.pid}, {server.url})" if server else "another command"
        return StateError(
            f"{self.directory} is in use by {who}.\n"
            "  Stop it first, or give this one its own state with --persist-to DIR."
        )

    def _read_dev_json(self) -> RunningServer | None:
        try:
            record = json.loads((self.directory / "dev.json").read_text(encoding="utf-8"))
            found = RunningServer(record["pid"], record["ip"], record["port"], record["token"])
            certificate = record.get("certificate", "")
            return replace(found, certificate=certificate) if certificate else found
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def reset(self, files: Iterable[str] = ()) -> list[str]:
        """Delete all durable state; return the names removed. Raises StateError when in use.

        files: the files of bindings. Files with other names stay.
        """
        if not self.directory.is_dir():
            return []
        removed = []
        with self.locked():
            for name in (*CONTENTS, *files):
                path = self.directory / name
                if path.is_dir() and not path.is_symlink():
                    import shutil

                    shutil.rmtree(path)
                elif path.exists() or path.is_symlink():
                    path.unlink()
                else:
                    continue
                removed.append(name)
        return removed


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """Make all files private to the user that this process creates meanwhile.

    A state directory that `--persist-to` names may exist and be open to others.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _new_token() -> str:
    """Return a token that nobody can guess. `secrets.token_urlsafe` would import too much."""
    return base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode("ascii")


def _file_stem(identifier: str) -> str:
    """Return a file name for an id: the id itself if it is harmless, else a safe text with a hash.

    `"brief-db"` -> `"brief-db"`, `"<your id>"` -> `"_your_id_-6f1c0a2b"`.
    """
    harmless = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in identifier)
    if harmless == identifier and 0 < len(identifier) <= 100:
        return identifier
    from hashlib import sha256

    return f"{harmless[:100]}-{sha256(identifier.encode()).hexdigest()[:8]}"
