"""The keyboard of the terminal on standard input: keys that act at once, without Enter or echo.

A debugger's prompt in a guest reads the same terminal. The guest gives the terminal its usual mode
before it reads, and says so. In that mode no key is read here, even before the guest was heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable, Mapping
from typing import Any

Key = Callable[[], None]  # what a key does

_KEYBOARD = 0
LOOK_AGAIN_S = 1.0  # while another program has the terminal
_Mode = list[Any]  # as `termios` has it
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|.)?")  # what an arrow sends, or Alt with a key
_LOCAL = 3  # where a mode says whether keys are echoed, and come without Enter


class Keyboard:
    """Reads keys from `begin` on. Without a terminal, nothing happens.

    `restore` may be called at any time: it puts the terminal into the mode that it had first.
    """

    def __init__(self) -> None:
        self._first: _Mode | None = None
        self._actions: Mapping[str, Key] = {}
        self._lent: set[object] = set()  # guests whose prompts read the terminal
        self._reading = -1  # a descriptor of our own: the one from the shell must stay blocking
        self._again: asyncio.TimerHandle | None = None
        if os.isatty(_KEYBOARD):
            import termios

            with contextlib.suppress(termios.error):
                self._first = termios.tcgetattr(_KEYBOARD)

    @property
    def is_there(self) -> bool:
        """Whether there is a terminal."""
        return self._first is not None

    def begin(self, actions: Mapping[str, Key]) -> None:
        """Call the action of each key that is typed from now on."""
        if self._first is None or not actions:
            return
        self._actions = actions
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCONT, self._look)
        for each in (signal.SIGTSTP, signal.SIGQUIT):
            loop.add_signal_handler(each, self._stand_back, each)
        self._look()

    def end(self) -> None:
        """Read no more keys."""
        if self._actions:
            self._actions = {}
            loop = asyncio.get_running_loop()
            for each in (signal.SIGCONT, signal.SIGTSTP, signal.SIGQUIT):
                loop.remove_signal_handler(each)
        self._read_no_more()
        self.restore()

    def restore(self) -> None:
        """Put the terminal back into its first mode, unless another program has it now."""
        if self._first is not None and _is_ours():
            self._set(self._first)

    # --- for guests

    def lend(self, guest: object) -> None:
        """A prompt in this guest reads the terminal, which has its usual mode already."""
        self._lent.add(guest)
        self._read_no_more()

    def take_back(self, guest: object) -> None:
        """The prompt has ended, perhaps with its guest, which then left the mode as it was."""
        self._lent.discard(guest)
        if self._lent:
            return
        if self._actions:
            self._look()
        else:
            self.restore()

    # --- reading

    def _look(self) -> None:
        """Read keys if nobody else does; while another program has the terminal, look again."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._first is None or not self._actions or self._lent:
            return
        loop = asyncio.get_running_loop()
        if not _is_ours():
            self._read_no_more()
            self._again = loop.call_later(LOOK_AGAIN_S, self._look)
            return
        self._set(_unechoed(self._first))
        if self._reading < 0:
            with contextlib.suppress(OSError):  # the terminal has gone
                self._reading = os.open(os.ttyname(_KEYBOARD), os.O_RDONLY | os.O_NOCTTY)
                loop.add_reader(self._reading, self._typed)

    def _read_no_more(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._reading >= 0:
            asyncio.get_running_loop().remove_reader(self._reading)
            os.close(self._reading)
            self._reading = -1

    def _typed(self) -> None:
        import termios

        try:
            if not _is_unechoed(termios.tcgetattr(_KEYBOARD)):  # somebody else reads
                self._read_no_more()
                self._again = asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look)
                return
            keys = os.read(self._reading, 64)
        except (OSError, termios.error):
            keys = b""
        if not keys:  # the terminal has gone
            self._read_no_more()
        for key in _SEQUENCE.sub("", keys.decode("utf-8", "replace")).lower():
            if key in self._actions:
                self._actions[key]()

    def _stand_back(self, number: int) -> None:
        """Do what a signal does by itself, with the terminal as it was: stop, or end."""
        import termios

        loop = asyncio.get_running_loop()
        before = termios.tcgetattr(_KEYBOARD) if self._lent else None
        self._read_no_more()
        self.restore()
        loop.remove_signal_handler(number)
        signal.raise_signal(number)
        # Here it goes on once it is continued.
        loop.add_signal_handler(number, self._stand_back, number)
        if before is not None and _is_ours():
            self._set(before)  # of the prompt
        self._look()

    def _set(self, mode: _Mode) -> None:
        import termios

        with contextlib.suppress(termios.error, OSError):  # the terminal has gone
            if termios.tcgetattr(_KEYBOARD) != mode:
                termios.tcsetattr(_KEYBOARD, termios.TCSANOW, mode)


def _unechoed(mode: _Mode) -> _Mode:
    """Return a mode in which each key is there at once, and is not shown."""
    import termios

    made = [*mode]
    made[_LOCAL] = mode[_LOCAL] & ~(termios.ECHO | termios.ICANON)
    return made


def _is_unechoed(mode: _Mode) -> bool:
    return bool(mode[_LOCAL] == _unechoed(mode)[_LOCAL])


def _is_ours() -> bool:
    """Whether we are in the foreground of the terminal: in the background it would stop us."""
    try:
        return os.tcgetpgrp(_KEYBOARD) == os.getpgrp()
    except OSError:
        return True  # it is not the one that started us: nobody stops us there
