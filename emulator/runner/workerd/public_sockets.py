"""The sockets that clients connect to, handed from one generation to the next.

On Linux each generation has sockets of its own on the same port, and a filter in the kernel chooses
whose turn it is: a connection that the old generation has accepted is answered by it, and every
other one goes to the new generation. Elsewhere all generations share one listening socket.
Source: https://man7.org/linux/man-pages/man7/socket.7.html (SO_REUSEPORT and
SO_ATTACH_REUSEPORT_CBPF).
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Callable

BACKLOG = 1024
_ATTACH_FILTER = 51  # SO_ATTACH_REUSEPORT_CBPF, which Python's socket module does not name
_RETURN_CONSTANT = 0x06  # BPF_RET | BPF_K
_RESET = struct.pack("ii", 1, 0)  # a client whose connection is closed sees at once that it is


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("constant", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


class Berth:
    """The listening sockets of one generation, one for each address."""

    def __init__(self, sockets: list[socket.socket], is_own: bool) -> None:
        self.sockets = sockets
        self._is_own = is_own  # nobody else accepts from them

    def refuse_waiting(self) -> None:
        """Refuse clients that were not accepted yet. The sockets stay as they are.

        Whoever serves from them may accept at the same time: `shutdown` would be an error for it.
        """
        for each in self.sockets if self._is_own else ():
            with contextlib.suppress(OSError):  # nobody waits any more
                while True:
                    client, _ = each.accept()
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    client.close()

    def close(self) -> None:
        """Accept nothing more."""
        for each in self.sockets:
            if self._is_own:
                with contextlib.suppress(OSError):  # it listens no more
                    each.shutdown(socket.SHUT_RDWR)
            each.close()


class PublicSockets:
    """Listening sockets of one port, and who serves from them now. They belong to this object."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.chosen = Berth(sockets, is_own=True)  # where new connections go
        self.is_served = False  # somebody alive accepts from the chosen sockets
        self.changed: Callable[[Berth], None] = lambda before: None
        # As the kernel counts them: when one leaves, the last one takes its place.
        self._group = [self.chosen]
        self._can_choose = sys.platform == "linux" and all(_choose(each, 0) for each in sockets)

    def berth(self) -> Berth:
        """Return sockets for somebody new: those of who is gone, else others on the same port.

        Raises OSError.
        """
        if not self.is_served:
            return self.chosen
        if not self._can_choose:
            return Berth([each.dup() for each in self.chosen.sockets], is_own=False)
        made = Berth([], is_own=True)
        try:
            for each in self.chosen.sockets:
                made.sockets.append(_another(each))
        except OSError:
            made.close()
            raise
        self._group.append(made)
        self._point()
        return made

    def choose(self, berth: Berth) -> None:
        """Let new connections go to `berth`; `changed` is told who had them, if it is another.

        Who serves there lets it `leave`.
        """
        before, self.chosen, self.is_served = self.chosen, berth, True
        self._point()
        if before is not berth:
            self.changed(before)

    def leave(self, berth: Berth) -> None:
        """Close a berth that is not needed any more, unless new connections go there."""
        if berth is self.chosen:
            return
        berth.close()
        if berth in self._group:
            index, last = self._group.index(berth), self._group.pop()
            if last is not berth:
                self._group[index] = last
            self._point()

    def close(self) -> None:
        """Stop listening."""
        self.is_served = False
        for berth in {id(each): each for each in (*self._group, self.chosen)}.values():
            for each in berth.sockets:
                each.close()

    def _point(self) -> None:
        if self._can_choose:
            for each in self.chosen.sockets:
                _choose(each, self._group.index(self.chosen))


def _another(like: socket.socket) -> socket.socket:
    """Return another listening socket on the same address."""
    made = socket.socket(like.family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if like.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(like.getsockname())
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _choose(listener: socket.socket, index: int) -> bool:
    """Send new connections to the socket with this index among those of the port."""
    instruction = _Instruction(_RETURN_CONSTANT, 0, 0, index)
    program = _Program(1, ctypes.pointer(instruction))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, bytes(program))
    except OSError:
        return False
    return True
