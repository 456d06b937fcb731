"""The forkserver: a single-threaded process that guests are forked from.

It has imported the guest's modules but no user code, so every fork starts from the same
clean state. It has no event loop and no thread, and never runs user code. When its control socket
closes, the host is gone: it kills its guests and ends; when it is killed itself, they end with it
(`parent`). Each guest leads a process group of its own; what user code started in it ends with it.

Control socket, JSON lines: in `{"generation": n}` with three descriptors (connection, stdout,
stderr); out `{"pid": n}` and later `{"exited": pid, "status": waitstatus}`, or `{"refused": errno}`
when the system has no room for another process.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
from collections import deque
from typing import NoReturn

from . import parent, process
from .runs import self_test

_RECEIVE_BYTES = 4096
_DESCRIPTORS = 3


def serve(control_fd: int, terminal: str) -> NoReturn:
    """Fork a guest per request until the host goes away. terminal: see `become_guest`."""
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    self_test.run()  # here, once for all guests: its event loop is gone before the first fork
    _Forkserver(control, terminal).run()


class _Forkserver:
    def __init__(self, control: socket.socket, terminal: str) -> None:
        self._control = control
        self._terminal = terminal
        self._children: set[int] = set()
        self._lines = bytearray()
        self._descriptors: deque[int] = deque()
        self._wakeup_out, self._wakeup_in = socket.socketpair()
        self._wakeup_in.setblocking(False)
        self._wakeup_out.setblocking(False)
        self._selector = selectors.DefaultSelector()

    def run(self) -> NoReturn:
        # Without a handler the wakeup descriptor is not written; the loop does the work.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakeup_in.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wakeup_out, selectors.EVENT_READ)
        gc.freeze()  # keeps the collector from touching, and so copying, pages shared with guests
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    self._receive()
                else:
                    self._reap()

    def _receive(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, _RECEIVE_BYTES, _DESCRIPTORS)
        except OSError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        if not data:
            self._end()
        self._descriptors.extend(descriptors)
        self._lines += data
        while b"\n" in self._lines:
            line, _, self._lines = self._lines.partition(b"\n")
            self._fork(json.loads(line)["generation"])

    def _fork(self, generation: int) -> None:
        connection, out, err = (self._descriptors.popleft() for _ in range(_DESCRIPTORS))
        forkserver = os.getpid()
        refused: OSError | None = None
        pid = -1
        try:
            pid = os.fork()
        except OSError as error:
            refused = error
        if pid == 0:
            parent.end_with(forkserver, connection)
            os.setpgid(0, 0)
            self._leave_to_child()
            process.become_guest(generation, connection, out, err, self._terminal)
        for descriptor in (connection, out, err):
            os.close(descriptor)
        if refused is not None:
            self._tell({"refused": refused.errno or 0})
            return
        try:
            os.setpgid(pid, pid)  # the child does the same: either may come first
        except OSError:
            pass
        self._children.add(pid)
        self._tell({"pid": pid})

    def _leave_to_child(self) -> None:
        """In the child: close everything that belongs to the forkserver."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        self._wakeup_in.close()
        self._wakeup_out.close()
        self._control.close()

    def _reap(self) -> None:
        try:
            self._wakeup_out.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            pass
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)
            _kill_group(pid)
            self._tell({"exited": pid, "status": status})

    def _tell(self, record: dict[str, int]) -> None:
        try:
            self._control.sendall(json.dumps(record).encode() + b"\n")
        except OSError:
            self._end()

    def _end(self) -> NoReturn:
        for pid in self._children:
            _kill_group(pid)
        os._exit(0)


def _kill_group(guest: int) -> None:
    try:
        os.killpg(guest, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS refuses where only zombies are left
        pass
