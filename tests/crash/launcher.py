"""`groundfog` with a bomb: `CRASH_POINT=before-commit:7 python -m tests.crash.launcher dev …`.

Wraps the few functions in which the named moments are, then runs the command's own `main`. Product
code knows nothing of it. At the n-th passage the point kills the host or the guest with SIGKILL.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any

from emulator.cli.main import main
from emulator.engine.engine import Engine
from emulator.engine.journal.journal import Journal
from emulator.protocol.message import Message
from emulator.protocol.runs import StepDone, StepRun
from emulator.runner.guest import Guest
from emulator.runner.runner import Runner

VARIABLE = "CRASH_POINT"
POINTS = (
    "before-commit",
    "after-commit",  # and before anyone is told
    "after-reply",  # the guest may or may not have read it
    "reply-unseen",  # the guest is gone when the reply is written
    "in-step",
    "in-step-guest",
    "reload",  # the new generation has loaded and is about to take over
    "recovery",  # unfinished instances have been taken up
    "recovery-commit",  # the same, with the first entries of the recovery committed
)

Original = Callable[..., Any]


class _Bomb:
    def __init__(self, passages: int) -> None:
        self._left = passages

    def is_due(self) -> bool:
        self._left -= 1
        return self._left == 0


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _wrap(cls: type, name: str, make: Callable[[Original], Original]) -> None:
    setattr(cls, name, make(getattr(cls, name)))


def arm(point: str, passages: int) -> None:
    """Kill at the `passages`-th time that `point` is reached."""
    bomb = _Bomb(passages)
    match point:
        case "before-commit":
            _wrap(Journal, "_commit", lambda commit: _before(commit, bomb))
        case "after-commit" | "recovery-commit":
            _wrap(Journal, "_commit", lambda commit: _after(commit, bomb))
        case "after-reply":
            _wrap(Guest, "send", lambda send: _at(send, bomb, StepDone, _reply_then_die))
        case "reply-unseen":
            _wrap(Guest, "send", lambda send: _at(send, bomb, StepDone, _kill_guest))
        case "in-step":
            _wrap(Guest, "send", lambda send: _at(send, bomb, StepRun, _reply_then_die))
        case "in-step-guest":
            _wrap(Guest, "send", lambda send: _at(send, bomb, StepRun, _kill_guest_soon))
        case "reload":
            _wrap(Runner, "switch", lambda switch: _before(switch, bomb))
        case "recovery":
            _wrap(Engine, "start", lambda start: _after(start, bomb))
        case _:
            raise SystemExit(f"{VARIABLE}: no point {point!r}; there are {', '.join(POINTS)}")


def _before(original: Original, bomb: _Bomb) -> Original:
    def wrapped(*args: Any) -> Any:
        if bomb.is_due():
            _die()
        return original(*args)

    return wrapped


def _after(original: Original, bomb: _Bomb) -> Original:
    def wrapped(*args: Any) -> Any:
        result = original(*args)
        if bomb.is_due():
            _die()
        return result

    return wrapped


def _at(send: Original, bomb: _Bomb, kind: type[Message], act: Callable[[Guest], None]) -> Original:
    def wrapped(guest: Guest, message: Message) -> None:
        send(guest, message)
        if type(message) is kind and bomb.is_due():
            act(guest)

    return wrapped


def _reply_then_die(guest: Guest) -> None:
    guest.connection.flush()
    _die()


def _kill_guest(guest: Guest) -> None:
    with contextlib.suppress(ProcessLookupError):  # a step in it may have ended it just before
        os.kill(guest.pid, signal.SIGKILL)


def _kill_guest_soon(guest: Guest) -> None:
    guest.connection.flush()
    asyncio.get_running_loop().call_later(0.01, _kill_guest, guest)


if __name__ == "__main__":
    if os.environ.get(VARIABLE):
        name, _, count = os.environ[VARIABLE].partition(":")
        arm(name, int(count or 1))
    main()
