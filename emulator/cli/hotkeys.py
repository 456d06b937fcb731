"""Keys that act at once, without Enter, while `groundfog dev` runs on a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping

Key = Callable[[], None]  # what a key does

_KEYBOARD = 0


@contextlib.contextmanager
def hotkeys(actions: Mapping[str, Key]) -> Iterator[None]:
    """Call the action of each key that is typed meanwhile. Without a terminal nothing happens."""
    if not actions or not _is_ours():
        yield
        return
    import termios
    import tty

    loop = asyncio.get_running_loop()
    mode = termios.tcgetattr(_KEYBOARD)

    def typed() -> None:
        keys = b""
        with contextlib.suppress(OSError):
            keys = os.read(_KEYBOARD, 64)
        if not keys:  # the terminal has gone
            loop.remove_reader(_KEYBOARD)
        for key in keys.decode("utf-8", "replace").lower():
            actions.get(key, _nothing)()

    tty.setcbreak(_KEYBOARD, termios.TCSANOW)
    loop.add_reader(_KEYBOARD, typed)
    try:
        yield
    finally:
        loop.remove_reader(_KEYBOARD)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(_KEYBOARD, termios.TCSANOW, mode)


def _is_ours() -> bool:
    """Whether standard input is a terminal, and we are not in its background, where it stops us."""
    try:
        return os.isatty(_KEYBOARD) and os.tcgetpgrp(_KEYBOARD) == os.getpgrp()
    except OSError:
        return True  # it is not the one that started us: nobody stops us there


def _nothing() -> None:
    pass
