"""`groundfog dev` on a terminal of its own, at which a test types."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import httpx

from tests.end_to_end.server import READY
from tests.waiting import DEADLINE_S, eventually

T = TypeVar("T")
# Makes the terminal the one whose keys, such as Ctrl-Z, send signals to what a shell starts.
_CONTROLLING = "import os, sys; os.login_tty(os.dup(0)); os.execvp(sys.argv[1], sys.argv[1:])"


class OnTerminal:
    """One run of `groundfog dev` on a pseudo-terminal. `text`: what was shown so far."""

    def __init__(self, project: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        groundfog = [sys.executable, "-m", "groundfog"]
        self._begin([*groundfog, "dev", str(project), "--port", "0", *arguments], env or {})

    def _begin(self, command: list[str], env: dict[str, str], *, controls: bool = False) -> None:
        self._is_shell = controls
        self._others = ThreadPoolExecutor()
        self.text = ""
        self._place = 0  # up to where a test has read
        self._keys, self.device = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CONTROLLING, *command] if controls else command,
            stdin=self.device,
            stdout=self.device,
            stderr=self.device,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", **env},
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> OnTerminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            print(self.text)
        self.end()
        os.close(self.device)

    def end(self) -> None:
        """Let it end, and wait for that."""
        self._process.send_signal(signal.SIGHUP if self._is_shell else signal.SIGTERM)
        self._process.wait(DEADLINE_S)

    def ended(self) -> int:
        """Wait until it has ended by itself; return its exit code."""
        return self._process.wait(DEADLINE_S)

    def later(self, call: Callable[[], T]) -> Future[T]:
        """Call something in another thread, while this one types."""
        return self._others.submit(call)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the next match after what was waited for before."""
        found = eventually(lambda: re.compile(pattern).search(self.text, self._place))
        self._place = found.end()
        return found

    def type(self, text: str) -> None:
        """Type at the keyboard."""
        os.write(self._keys, text.encode())

    def client(self) -> httpx.Client:
        """Return a client, once it is ready."""
        url = self.wait_for(READY.pattern)[1]
        return httpx.Client(base_url=url, timeout=DEADLINE_S, trust_env=False)

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed by itself, as a shell expects it."""
        return bool(termios.tcgetattr(self.device)[3] & termios.ECHO)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._keys, 65536)
            except OSError:
                return
            self.text += data.decode("utf-8", "replace")


class Shell(OnTerminal):
    """A shell on a terminal, which stops and continues what is started in it."""

    def __init__(self, **env: str) -> None:
        self._begin(["bash", "--norc", "--noediting", "-i"], {"PS1": "$ ", **env}, controls=True)
