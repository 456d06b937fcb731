"""The prompt of pdb on the terminal of `groundfog dev`.

While it waits, the guest's standard input and output are the terminal itself: `input()` edits lines
only there. The host is told before and after: all code of the guest stands still meanwhile.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import pdb
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from ....protocol.life import Continued, Stopped
from .. import scope, tracebacks
from ..connection import Connection
from ..printable import printable

# Nobody wants to step through these; their modules are never stopped in.
_SKIPPED = ("_groundfog", "_groundfog.*", "asyncio", "asyncio.*", "importlib*", "contextvars")
_LOCAL = 3  # where a mode of the terminal says whether keys are echoed, and come line by line


class Prompt(pdb.Pdb):
    """pdb, which lets the worker go on where pdb would end the program."""

    def __init__(self, terminal: str, connection: Connection) -> None:
        super().__init__(skip=_SKIPPED, nosigint=True)
        self._terminal = terminal
        self._connection = connection
        self._one = threading.RLock()  # prompt at a time
        self._is_new = False  # a `breakpoint()` was reached since the last prompt
        self._is_open = False
        self._early: list[str] = []  # messages of before the prompt, such as "--Return--"

    def stop_at(self, frame: FrameType) -> None:
        """Stop the code of a frame."""
        self._is_new = True
        self.set_trace(frame)

    def interaction(self, frame: FrameType | None, *args: Any) -> None:
        """Wait for commands."""
        place = "" if frame is None else f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}"
        with self._one:
            of = scope.find()
            label = "" if of is None else of.label
            self._connection.send_now(Stopped(place, label))
            try:
                with _at(self._terminal):
                    self.stdout = sys.stdout
                    self._is_open = True
                    early, self._early = self._early, []
                    for text in [_notice(label), *early] if self._is_new else early:
                        self.message(text)
                    self._is_new = False
                    super().interaction(frame, *args)
            finally:
                self._is_open = False
                self._connection.send_now(Continued())

    def message(self, msg: Any, *args: Any, **options: Any) -> None:
        """Show a message, at the next prompt if none is open."""
        if self._is_open:
            super().message(msg, *args, **options)
        else:
            self._early.append(str(msg))

    def user_exception(self, frame: FrameType, exc_info: Any) -> None:
        """Stop for an exception, but not for the return of a coroutine to our code."""
        if not _is_skipped(frame):
            super().user_exception(frame, exc_info)

    def get_stack(self, f: FrameType | None, t: Any) -> tuple[list[tuple[FrameType, int]], int]:
        """Return the frames that can be looked at: the user's."""
        stack, index = super().get_stack(f, t)
        shown = [each for each in stack if not _is_skipped(each[0])]
        if not stack or stack[index] not in shown:
            return stack, index
        return shown, shown.index(stack[index])

    def do_quit(self, arg: str) -> bool:
        """q(uit): leave the debugger; the worker goes on."""
        self.clear_all_breaks()
        self.set_continue()
        return True

    do_q = do_exit = do_quit

    def do_EOF(self, arg: str) -> bool:
        """Ctrl-D: leave the debugger; the worker goes on."""
        self.message("")
        return self.do_quit(arg)


def prompt_on(terminal: str, connection: Connection) -> Prompt:
    """Return the prompt of this guest, which keeps its breakpoints."""
    global _prompt
    if _prompt is None:
        _prompt = Prompt(terminal, connection)
    return _prompt


@contextlib.contextmanager
def _at(terminal: str) -> Iterator[None]:
    """Let standard input and output be the terminal, as long as this lasts.

    Its keys are echoed and edited meanwhile. The host reads none in such a mode.
    """
    streams = sys.stdin, sys.stdout
    sys.stdout.flush()
    kept = [os.dup(number) for number in (0, 1)]
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    mode = termios.tcgetattr(descriptor)
    usual = [*mode]
    usual[_LOCAL] |= termios.ECHO | termios.ICANON
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, usual)
        for target in (0, 1):
            os.dup2(descriptor, target)
        sys.stdin = open(0, encoding="utf-8", closefd=False)
        sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)
        yield
        sys.stdout.flush()
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, mode)
        sys.stdin, sys.stdout = streams
        for target, number in enumerate(kept):
            os.dup2(number, target)
            os.close(number)
        os.close(descriptor)


def _is_skipped(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    is_skipped = any(fnmatch.fnmatch(name, pattern) for pattern in _SKIPPED)
    return is_skipped or tracebacks.is_ours(frame.f_code.co_filename)


def _notice(label: str) -> str:
    of = f" for {label}" if label else ""
    text = f"--- the debugger halts the worker{of}; all else in it waits. c goes on, h helps ---"
    return printable(text.replace("\t", " "))


def _short(file: str) -> str:
    path = Path(file)  # the working directory is the project's folder
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else file


_prompt: Prompt | None = None
