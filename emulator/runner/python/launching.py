"""Starts the forkserver process: the first thing a server does, so this imports very little.

The process then imports what guests need while its host still imports its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from emulator.errors import GuestError

BOOT = Path(__file__).parents[2] / "guest" / "python" / "boot.py"

# Of the host's environment, a worker sees only what Python and TLS need.
KEPT_VARIABLES = frozenset(
    {"PATH", "HOME", "USER", "LANG", "LANGUAGE", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV"}
    | {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {"PYTHONBREAKPOINT", "PYTHONASYNCIODEBUG", "PYTHONMALLOC", "TERM"}
)
FIXED_VARIABLES = {
    "PYTHONHASHSEED": "111",  # as on Workers: the order of sets is the same in every guest
    "PYTHONUTF8": "1",
    "TZ": "UTC",
}


class Launched:
    """A forkserver process and the host's end of its control socket."""

    def __init__(
        self, interpreter: Path, process: subprocess.Popen[bytes], control: socket.socket
    ) -> None:
        self.interpreter = interpreter
        self.process = process
        self.control = control

    def discard(self) -> None:
        """End a process that nobody took over, by closing its control socket."""
        self.control.close()
        if self.process.stderr is not None:
            self.process.stderr.close()
        self.process.wait()


def launch(interpreter: Path, terminal: str = "", hash_seed: str = "") -> Launched:
    """Start a forkserver. terminal: where debuggers may ask a person, the path of a device, or "".

    hash_seed: another one than guests have by default.
    Raises GuestError when the interpreter cannot be started.
    """
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            [str(interpreter), "-u", str(BOOT), str(theirs.fileno()), terminal],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C at the terminal is for the host alone
            env=_environment(os.environ) | ({"PYTHONHASHSEED": hash_seed} if hash_seed else {}),
        )
    except OSError as error:
        ours.close()
        raise GuestError(
            f"The Python interpreter {interpreter} could not be started: "
            f"{error.strerror}. Name another one with --python."
        ) from error
    finally:
        theirs.close()
    ours.setblocking(False)
    return Launched(interpreter, process, ours)


def terminal_path() -> str:
    """Return the path of the terminal that this process reads, or "" if it reads none."""
    try:
        return os.ttyname(0)
    except OSError:
        return ""


def _environment(ours: os._Environ[str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in ours.items()
        if name in KEPT_VARIABLES or name.startswith("LC_") or name.lower().endswith("_proxy")
    }
    return kept | FIXED_VARIABLES
