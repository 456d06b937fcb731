"""Questions to the person at the terminal, before something is done."""

from __future__ import annotations

import signal
from types import FrameType

import click


def confirm(question: str, *, default: bool = False, err: bool = False) -> None:
    """Return if the answer is yes. Raises click.Abort if it is no, KeyboardInterrupt for Ctrl-C.

    Of an event loop, Ctrl-C would only cancel the task, which waits here for an answer.
    """
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        click.confirm(question, default=default, abort=True, err=err)
    except click.Abort:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
