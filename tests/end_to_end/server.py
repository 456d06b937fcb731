"""`groundfog dev` as a child process: start, read its output, ask it things, kill it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil

from tests.waiting import DEADLINE_S, eventually

READY = re.compile(r"Ready on (https?://\S+)")


class DevServer:
    """One run of `groundfog dev` on a project, on a port of its own.

    keep_alive: whether its client sends one request after another over the same connection.
    """

    def __init__(
        self,
        project: Path,
        *arguments: str,
        env: dict[str, str] | None = None,
        module: str = "groundfog",
        cwd: Path | None = None,
        keep_alive: bool = True,
    ) -> None:
        self.project = project
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "dev", str(project), "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""
        limits = httpx.Limits(max_keepalive_connections=20 if keep_alive else 0)
        self.client = httpx.Client(timeout=DEADLINE_S, trust_env=False, limits=limits)

    def __enter__(self) -> DevServer:
        self.wait_until_ready()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            print(self.output)
        self.stop()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    # --- what it says

    @property
    def output(self) -> str:
        """Everything it has written so far."""
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, after: int = 0) -> re.Match[str]:
        """Return the first match in the output, from line `after` on, waiting for it."""

        def search() -> re.Match[str] | None:
            found = re.search(pattern, "\n".join(self.lines[after:]))
            if found is None and self._process.poll() is not None:
                self._reader.join(DEADLINE_S)
                found = re.search(pattern, "\n".join(self.lines[after:]))
                if found is None:
                    raise EOFError(f"it ended without {pattern!r}:\n{self.output}")
            return found

        try:
            return eventually(search)
        except AssertionError:
            raise AssertionError(f"no {pattern!r} in:\n{self.output}") from None

    def wait_until_ready(self) -> None:
        """Wait until it listens."""
        self.url = self.wait_for(READY.pattern)[1]
        self.client.base_url = httpx.URL(self.url)

    # --- asking

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.client.get(path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.client.post(path, **options)

    # --- processes

    @property
    def pid(self) -> int:
        """The host process."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the host is gone, killed or not."""
        return self._process.poll() is not None

    def guest_pids(self) -> list[int]:
        """The guest processes: children of the forkserver, which is a child of the host."""
        forkservers = psutil.Process(self.pid).children()
        return [guest.pid for forkserver in forkservers for guest in forkserver.children()]

    def kill(self) -> None:
        """`kill -9` the host and wait until it is gone."""
        self._process.kill()
        self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        self.client.close()

    def kill_guest(self) -> int:
        """`kill -9` the newest guest; return its pid."""
        pid = max(eventually(self.guest_pids))
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> int:
        """Stop it as Ctrl-C does; return the exit code."""
        self.client.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        code = self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def wait_for_exit(self) -> int:
        """Return the exit code, once it has ended by itself."""
        code = self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        return code


def is_running(pid: int) -> bool:
    """Whether a process is there and not only waiting to be reaped."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
