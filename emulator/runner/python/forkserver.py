"""The forkserver process, seen from the host: the source of Python guests.

`emulator/guest/python/forkserver.py` is the other side and describes the messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.disk import refusal
from emulator.engine.guests.blame import Cause
from emulator.errors import GuestError
from emulator.runner.guest_source import Ending, GuestProcess, WorkerSpec
from emulator.runner.python.launching import Launched, launch

if TYPE_CHECKING:
    from bindings.binding import Binding

STOP_WAIT_S = 2.0
_RECEIVE_BYTES = 64 * 1024

_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_Forked = tuple[int, "asyncio.Future[Ending]"]  # pid, how it ends


@dataclass(slots=True, eq=False)
class ForkedProcess(GuestProcess):
    """A Python guest; the host's end of the connection with it is `socket`."""

    socket: socket.socket

    async def connect(self, protocol: asyncio.Protocol) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_unix_connection(lambda: protocol, sock=self.socket)
        except OSError as error:
            self.kill()
            raise GuestError(f"the guest could not be reached: {error}") from error


class Forkserver:
    """Starts the process on first use, and again when it has died.

    A process that was already `launched`, with the same interpreter, is taken over.
    """

    def __init__(
        self,
        interpreter: Path,
        launched: Launched | None = None,
        terminal: str = "",
        *,
        hash_seed: str = "",
    ) -> None:
        """hash_seed: another one than the usual, for what depends on the order of sets."""
        self._interpreter = interpreter
        self._hash_seed = hash_seed
        self._terminal = terminal
        self._process = launched.process if launched else None
        self._control = launched.control if launched else None
        self._listening = False  # the event loop reads the control socket
        self._lines = bytearray()
        # Answers carry no number: they come in the order of the requests, also of those given up.
        self._answers: deque[asyncio.Future[_Forked]] = deque()
        self._exits: dict[int, asyncio.Future[Ending]] = {}

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        return None if self._process is None else self._process.pid

    @property
    def guest_pids(self) -> list[int]:
        """Of the guests whose end it has not reported."""
        return list(self._exits)

    async def start(self) -> None:
        """Start the process if it is not running, and listen to it. Raises GuestError."""
        self._connected()

    def _connected(self) -> socket.socket:
        if self._control is None:
            launched = launch(self._interpreter, self._terminal, self._hash_seed)
            self._process, self._control = launched.process, launched.control
            self._lines.clear()
        if not self._listening:
            self._listening = True
            asyncio.get_running_loop().add_reader(self._control, self._receive)
        return self._control

    async def new_guest(
        self,
        generation: int,
        spec: WorkerSpec | None = None,
        bindings: Mapping[str, Binding] | None = None,
        *,
        apart: bool = False,
    ) -> ForkedProcess:
        """Return a new guest, which learns what it runs from `load`.

        Raises GuestError with what the interpreter said when it fails.
        """
        control = self._connected()
        (ours, theirs), (out_read, out_write), (err_read, err_write) = _channels()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Forked] = loop.create_future()
        try:
            request = json.dumps({"generation": generation}).encode() + b"\n"
            given = (theirs.fileno(), out_write, err_write)
            socket.send_fds(control, [request], given)
            self._answers.append(answer)
            pid, exited = await answer
        except BaseException as error:
            ours.close()
            os.close(out_read)
            os.close(err_read)
            if isinstance(error, OSError):
                raise GuestError(self._end_of_process()) from error
            raise
        finally:
            theirs.close()
            os.close(out_write)
            os.close(err_write)
        ours.setblocking(False)
        return ForkedProcess(pid, out_read, err_read, exited, socket=ours)

    async def stop(self) -> None:
        """End the process and every guest it still has."""
        process = self._process
        if process is None:
            return
        self._disconnect()
        try:
            await asyncio.to_thread(process.wait, STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._close_stderr(process)
        self._settle_exits("was killed with its forkserver")
        self._fail_forks("The forkserver was stopped.")

    def _receive(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        self._lines += data
        *lines, rest = self._lines.split(b"\n")
        self._lines = rest
        for line in lines:
            self._report(json.loads(line))

    def _report(self, record: dict[str, int]) -> None:
        if "pid" in record:
            pid, answer = record["pid"], self._answers.popleft()
            # Made here, not by the waiter: the report of its end may be the next line.
            exited: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
            self._exits[pid] = exited
            if answer.done():  # nobody waits for this guest any more
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(pid, signal.SIGKILL)
            else:
                answer.set_result((pid, exited))
            return
        if "refused" in record:
            answer = self._answers.popleft()
            if not answer.done():
                answer.set_exception(_refused(record["refused"]))
            return
        self._exits.pop(record["exited"]).set_result(_ending(record["status"]))

    def _lost(self) -> None:
        """The process died: pending forks fail, and nobody can reap its guests."""
        text = self._end_of_process()
        self._fail_forks(text)

    def _end_of_process(self) -> str:
        """Clean up after a process that died; return a message about its end."""
        process = self._process
        self._disconnect()
        for pid in self._exits:
            try:
                os.killpg(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # macOS, where only zombies are left
                pass
        self._settle_exits("was killed, because the forkserver it came from had died")
        said = ""
        status = 0
        if process is not None:
            process.kill()
            status = process.wait()
            assert process.stderr is not None
            os.set_blocking(process.stderr.fileno(), False)
            said = (process.stderr.read() or b"").decode("utf-8", "replace").strip()
            self._close_stderr(process)
        ending = f"signal {-status}" if status < 0 else f"status {status}"
        text = f"The forkserver for Python workers ({self._interpreter}) ended with {ending}."
        return f"{text} It said:\n{said}" if said else text

    def _fail_forks(self, text: str) -> None:
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(GuestError(text))
        self._answers.clear()

    def _settle_exits(self, ending: str) -> None:
        """Settle the ends of these guests: nobody reports them any more."""
        for exited in self._exits.values():
            if not exited.done():
                exited.set_result(Ending(ending, Cause.HOST))
        self._exits.clear()

    def _disconnect(self) -> None:
        if self._control is not None:
            if self._listening:
                asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
        self._control = None
        self._listening = False
        self._process = None

    @staticmethod
    def _close_stderr(process: subprocess.Popen[bytes]) -> None:
        if process.stderr is not None:
            process.stderr.close()


def _channels() -> tuple[tuple[socket.socket, socket.socket], tuple[int, int], tuple[int, int]]:
    """Return a socket and two pipes for a new guest. Raises GuestError, and closes them then."""
    with contextlib.ExitStack() as made:
        try:
            ours, theirs = socket.socketpair()
            made.callback(ours.close)
            made.callback(theirs.close)
            out = os.pipe()
            for end in out:
                made.callback(os.close, end)
            err = os.pipe()
        except OSError as error:
            raise GuestError(refusal(Path("worker"), "cannot be started", error)) from error
        made.pop_all()
    return (ours, theirs), out, err


def _refused(number: int) -> GuestError:
    return GuestError(
        f"worker: the system starts no further process ({os.strerror(number)}).\n"
        "  End some programs, or raise the limit: ulimit -u shows it."
    )


def _ending(status: int) -> Ending:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return Ending(f"exited with status {code}", Cause.ITSELF)
    cause = Cause.KILLED if -code in _OUTSIDE else Cause.ITSELF
    return Ending(f"exited with signal {-code}", cause)
