"""Whether a guest is there, whether a debugger halts it, and its end."""

from __future__ import annotations

from .message import Message, message

# What a guest that hangs says on stderr, after its stack, when the host asks with SIGUSR1:
# `workflow run 12` or `a request` follows, for whom the code runs.
STUCK_IN = "groundfog: this runs for "
# What a guest whose network is guarded says on stderr when it refuses a connection to `host:port`.
REFUSED_NETWORK = "groundfog: no network for "
# A line that a guest prints for a request or a run begins with its label between these two: for a
# request `GET /orders`, for a run its workflow and instance with a tab between them.
LABEL_BEGINS, LABEL_ENDS = "\x1e", "\x1f"


@message
class Ping(Message):
    """host -> guest: are you there?"""

    type = "ping"
    number: int


@message
class Pong(Message):
    """guest -> host: yes."""

    type = "pong"
    number: int


@message
class Shutdown(Message):
    """host -> guest: exit as soon as what is being written is written."""

    type = "shutdown"


@message
class Stopped(Message):
    """guest -> host: a debugger halts all code of this guest."""

    type = "stopped"
    where: str = ""
    label: str = ""


@message
class Continued(Message):
    """guest -> host: the code goes on."""

    type = "continued"


@message
class DebugListening(Message):
    """guest -> host: debugpy waits for an editor, or cannot."""

    type = "debug_listening"
    port: int = 0
    problem: str = ""
