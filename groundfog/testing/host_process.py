"""The host process: started isolated, beside the test process, and ended with it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile

from groundfog.testing.link import Link

_BOOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot.py")
_END_WAIT_S = 5.0


class HostProcess:
    """One host, for all workers of a test process."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", _BOOT, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the test process
            )
        finally:
            theirs.close()
        self.link = Link(ours, self.last_words)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def last_words(self) -> str:
        """Return what it printed: nothing, unless something went wrong."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace").strip()

    def kill(self) -> None:
        """End it with SIGKILL: its forkservers and guests end with it."""
        self._process.kill()
        self._process.wait()
        self.link.close()
        self._errors.close()

    def stop(self) -> None:
        """End it. It removes what its workers kept."""
        self.link.close()
        try:
            self._process.wait(_END_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()
