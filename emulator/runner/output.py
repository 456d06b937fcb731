"""What a guest prints: read from its pipes, cut into lines, labelled with generation and stream."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from emulator.protocol.life import LABEL_BEGINS, LABEL_ENDS

Stream = Literal["stdout", "stderr"]

MAX_LINE_BYTES = 64 * 1024  # a longer line is passed on in pieces
RECENT_LINES = 200
_READ_BYTES = 64 * 1024
_PIPE_MAX_BYTES = 1024 * 1024  # Linux's fs.pipe-max-size: what a dead writer can have left at most


class OutputLine(Struct, frozen=True):
    """One line a guest printed, without its line end.

    label: on whose behalf, as in `emulator/protocol/life.py`; empty if the guest did not say.
    """

    generation: int
    stream: Stream
    text: str
    label: str = ""


class OutputPipe:
    """Reads one pipe of a guest on the event loop. `recent` keeps its last lines.

    shown: returns a line as it is passed on; None: it is not.
    """

    def __init__(
        self,
        descriptor: int,
        generation: int,
        stream: Stream,
        tell: Callable[[OutputLine], None],
        shown: Callable[[str], str | None],
    ) -> None:
        self._descriptor = descriptor
        self._generation = generation
        self._stream = stream
        self._tell = tell
        self._shown = shown
        self._rest = b""
        self._label = ""  # of the line that has begun
        self._open = True
        self.recent: deque[str] = deque(maxlen=RECENT_LINES)
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    def close(self) -> None:
        """Pass on what was printed up to now, and stop reading.

        A program that user code started may hold the pipe too and print for ever.
        """
        for _ in range(_PIPE_MAX_BYTES // _READ_BYTES):
            if not self._open or not self._read():
                break
        self._end()

    def _read(self) -> bool:
        """Read what has arrived; return whether there may be more already."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._end()
            return False
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
            self._label = ""
        while len(rest) > MAX_LINE_BYTES:
            self._piece(rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        self._rest = rest
        return True

    def _line(self, line: bytes) -> None:
        for start in range(0, len(line) or 1, MAX_LINE_BYTES):
            self._piece(line[start : start + MAX_LINE_BYTES])

    def _piece(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").removesuffix("\r")
        if text.startswith(LABEL_BEGINS):
            label, ends, rest = text.partition(LABEL_ENDS)
            if ends:
                self._label, text = label[1:], rest
        shown = self._shown(text)
        if shown is not None:
            self.recent.append(shown)
            self._tell(OutputLine(self._generation, self._stream, shown, self._label))

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            if self._rest:
                self._line(self._rest)
