"""The state directory `.groundfog/`: where everything durable of one project lives.

Owns its layout, its lock (one server at a time) and `dev.json`, by which commands find a running
server. It never looks inside the files it names.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from emulator.config.model import Config
from emulator.errors import StateError

try:
    import fcntl
except ImportError:  # Windows: no advisory locks; dev.json still names a running server
    fcntl = None  # type: ignore[assignment]

DIRECTORY_NAME = ".groundfog"
# Everything we ever put into a state directory; `reset` removes these and nothing else.
CONTENTS = (
    "clock.json",
    "journal.sqlite",
    "journal.sqlite-wal",
    "journal.sqlite-shm",
    "d1",
    "vectorize",
    "ai-calls.jsonl",
    "ai-calls.jsonl.1",
)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """What `dev.json` says of the server that uses this state. `token` opens control routes."""

    pid: int
    ip: str
    port: int
    token: str

    @property
    def url(self) -> str:
        """The server's address, as a person would type it."""
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class State:
    """One state directory. Creating the value touches nothing; `prepare` makes the folder."""

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

    def d1_path(self, local_id: str) -> Path:
        """The SQLite file of the D1 database with this local id."""
        return self.directory / "d1" / f"{_file_stem(local_id)}.sqlite"

    def vectorize_path(self, index_name: str) -> Path:
        """The SQLite file of the Vectorize index with this name."""
        return self.directory / "vectorize" / f"{_file_stem(index_name)}.sqlite"

    @property
    def ai_ledger(self) -> Path:
        """The ledger of env.AI's calls; a full one is kept beside it with `.1` added."""
        return self.directory / "ai-calls.jsonl"

    def prepare(self) -> None:
        """Create the folder, private to the user and ignored by git. Raises StateError."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            ignore = self.directory / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise StateError(
                f"{self.directory}: the state directory cannot be created ({error.strerror}).\n"
                "  Make the place writable, or choose another with --persist-to DIR."
            ) from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the state for one server. Raises StateError naming the server that has it.

        Files that this process makes meanwhile are private to the user, wherever the directory is:
        one that `--persist-to` names may exist and be open to others.
        """
        before = os.umask(0o077)
        try:
            self.prepare()
            with self._lock():
                yield
        finally:
            os.umask(before)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        handle = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if fcntl is not None:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    raise self._taken() from None
            yield
        finally:
            os.close(handle)

    def _taken(self) -> StateError:
        server = self._read_dev_json()
        who = f"a running server (pid {server.pid}, {server.url})" if server else "another command"
        return StateError(
            f"{self.directory} is in use by {who}.\n"
            "  Stop it first, or give this one its own state with --persist-to DIR."
        )

    def read_clock(self) -> dict[str, int]:
        """Return what `write_clock` was last given, or nothing. Raises StateError if damaged."""
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

    def write_clock(self, record: dict[str, int]) -> None:
        """Keep where a virtual clock stands; durable when this returns."""
        temporary = self.directory / "clock.json.new"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(record, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.directory / "clock.json")

    def announce(self, ip: str, port: int) -> RunningServer:
        """Write `dev.json` for the server that has just begun to listen; only the user reads it."""
        server = RunningServer(os.getpid(), ip, port, secrets.token_urlsafe(32))
        record = {"pid": server.pid, "ip": ip, "port": port, "token": server.token}
        temporary = self.directory / "dev.json.new"
        temporary.unlink(missing_ok=True)  # one that a crash left behind, or a link
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(record, file)
        temporary.replace(self.directory / "dev.json")
        return server

    def retract(self) -> None:
        """Remove `dev.json`; the server no longer listens."""
        (self.directory / "dev.json").unlink(missing_ok=True)

    def running_server(self) -> RunningServer | None:
        """Return the live server on this state, or None (a stale `dev.json` counts as none)."""
        if fcntl is None:
            return self._read_dev_json()
        try:
            handle = os.open(self.directory / "lock", os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return self._read_dev_json()
        finally:
            os.close(handle)
        return None

    def _read_dev_json(self) -> RunningServer | None:
        try:
            record = json.loads((self.directory / "dev.json").read_text(encoding="utf-8"))
            return RunningServer(record["pid"], record["ip"], record["port"], record["token"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def reset(self) -> list[str]:
        """Delete all durable state; return the names removed. Raises StateError when in use."""
        if not self.directory.is_dir():
            return []
        removed = []
        with self.locked():
            for name in CONTENTS:
                path = self.directory / name
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.exists() or path.is_symlink():
                    path.unlink()
                else:
                    continue
                removed.append(name)
        return removed


def _file_stem(identifier: str) -> str:
    """Return a file name for an id: itself when harmless, else made so and told apart by a hash.

    `"brief-db"` -> `"brief-db"`, `"<your id>"` -> `"_your_id_-6f1c0a2b"`.
    """
    harmless = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in identifier)
    if harmless == identifier and 0 < len(identifier) <= 100:
        return identifier
    return f"{harmless[:100]}-{sha256(identifier.encode()).hexdigest()[:8]}"
