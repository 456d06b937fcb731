"""One workerd process: started from a configuration in memory, watched, told to end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emulator.child_processes import ends_with_parent
from emulator.disk import refusal
from emulator.engine.guests.blame import Cause
from emulator.errors import GuestError
from emulator.runner.guest_source import Ending, GuestProcess
from emulator.runner.requests import LoadError
from emulator.runner.workerd.capnp import Embed
from emulator.runner.workerd.control_socket import ControlProtocol, open_control
from emulator.runner.workerd.public_sockets import Berth, PublicSockets

# Clients that connected just before the switch send their first request in this time.
SWITCH_S = 0.03
# From SIGTERM until the process no longer accepts and has closed idle connections.
TERM_S = 0.03
STOP_GRACE_MS = 3_000  # for requests in progress when the server stops
_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


@dataclass(slots=True, eq=False)
class WorkerdProcess(GuestProcess):
    """A workerd that listens, or will soon.

    control_path: the unix socket of its control connection. events: the descriptor on which it says
    that it listens. berth: where its clients connect; None: it has none.
    """

    prints_stack: bool = False
    serves_clients: bool = True
    stop_grace_ms: int = STOP_GRACE_MS
    control_path: str = ""
    events: int = -1
    sockets: int = 0
    public: PublicSockets | None = None
    berth: Berth | None = None
    explain: Callable[[str], LoadError | None] | None = None
    line: Callable[[str], str | None] | None = None
    program: Path | None = None
    _listening: asyncio.Future[None] | None = None
    _said: bytes = b""
    _retiring: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Read what it says about its sockets, and notice its end."""
        loop = asyncio.get_running_loop()
        self._listening = loop.create_future()
        os.set_blocking(self.events, False)
        loop.add_reader(self.events, self._read_events)
        self.exited.add_done_callback(lambda _: self._has_ended())

    async def connect(self, protocol: asyncio.Protocol) -> None:
        assert self._listening is not None
        await self._listening
        connection = await open_control(self.control_path)
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: ControlProtocol(protocol), sock=connection)

    def not_loaded(self, said: str) -> LoadError | None:
        if self.explain is None or self.exited.result().cause is Cause.KILLED:
            return None  # the code may still be good
        return self.explain(said)

    def shown(self, line: str) -> str | None:
        return line if self.line is None else self.line(line)

    def take_over(self) -> None:
        if self.public is not None and self.berth is not None and not self.exited.done():
            self.public.choose(self.berth)

    async def retire(self) -> None:
        """Send no new clients here; it ends when the present ones are answered."""
        if self._retiring is None:
            loop = asyncio.get_running_loop()
            self._retiring = loop.create_task(self._retire(), name="retire workerd")
        await asyncio.shield(self._retiring)

    async def _retire(self) -> None:
        is_chosen = self.public is None or self.public.chosen is self.berth
        if not is_chosen:
            await asyncio.sleep(SWITCH_S)
        self.kill(signal.SIGTERM)
        if not is_chosen and self.berth is not None:
            await asyncio.sleep(TERM_S)
            self.berth.refuse_waiting()  # its sockets are closed once it has ended

    def _leave(self) -> None:
        if self.public is not None and self.berth is not None:
            self.public.leave(self.berth)

    def _has_ended(self) -> None:
        if self._listening is not None and not self._listening.done():
            text = f"{self.program} {self.exited.result().text} before it could serve"
            self._listening.set_exception(GuestError(text))
            self._listening.exception()  # marked as retrieved: perhaps nobody waits
        if self.public is not None and self.public.chosen is self.berth:
            self.public.is_served = False  # its sockets stay: clients wait for the next generation
        else:
            self._leave()
        self._stop_reading()

    def _read_events(self) -> None:
        try:
            data = os.read(self.events, 4096)
        except BlockingIOError:
            return
        if not data:
            self._stop_reading()
            return
        *lines, self._said = (self._said + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if told.get("event") == "listen":
                self.sockets -= 1
            elif told.get("event") == "listen-inspector" and self.inspected is not None:
                self.inspected = replace(self.inspected, port=told["port"])
        if self.sockets <= 0 and self._listening is not None and not self._listening.done():
            self._listening.set_result(None)

    def _stop_reading(self) -> None:
        if self.events >= 0:
            asyncio.get_running_loop().remove_reader(self.events)
            os.close(self.events)
            self.events = -1


@dataclass(frozen=True, slots=True)
class Start:
    """How a process is started. listeners: name of a socket and who listens on it.

    configuration: makes it, and says what is to be embedded in it.
    """

    program: Path
    configuration: Callable[[Embed], bytes]
    listeners: Sequence[tuple[str, socket.socket]]
    folder: Path
    arguments: Sequence[str] = ()


def launch(start: Start) -> WorkerdProcess:
    """Start workerd. Raises GuestError."""
    ours: list[int] = []
    theirs: list[int] = []
    try:
        for _ in range(3):
            reading, writing = os.pipe()
            ours.append(reading)
            theirs.append(writing)
        out, err, events = theirs
        held = _Held(theirs, start.folder)
        content = start.configuration(held.embed)
        command = [str(start.program), "serve", held.keep(content), f"--control-fd={events}"]
        given = list(theirs[2:])
        for socket_name, listener in start.listeners:
            command.append(f"--socket-fd={socket_name}={listener.fileno()}")
            given.append(listener.fileno())
        process = subprocess.Popen(
            [*command, *start.arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            pass_fds=given,
            start_new_session=True,  # Ctrl-C at the terminal is for the host alone
            env={**os.environ, "TZ": "UTC"},
            preexec_fn=ends_with_parent(os.getpid()),
        )
    except OSError as error:
        for descriptor in ours:
            os.close(descriptor)
        raise GuestError(refusal(start.program, "cannot be started", error)) from error
    finally:
        for descriptor in theirs:
            os.close(descriptor)
    exited = _watched(process)
    return WorkerdProcess(
        process.pid,
        *(ours[0], ours[1], exited),
        events=ours[2],
        sockets=len(start.listeners),
        program=start.program,
    )


class _Held:
    """What a child reads when it starts, in memory where the system can: it may contain secrets."""

    def __init__(self, descriptors: list[int], folder: Path) -> None:
        self._descriptors = descriptors  # the child gets them, and the caller closes them
        self._folder = folder

    def embed(self, content: bytes) -> str:
        """Keep bytes; return their name as the configuration beside them says it."""
        return Path(self.keep(content)).name

    def keep(self, content: bytes) -> str:
        """Keep bytes; return the path by which the child reads them."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("groundfog-workerd", 0)
            name = f"/proc/self/fd/{descriptor}"
        else:
            descriptor, name = tempfile.mkstemp(dir=self._folder)
        self._descriptors.append(descriptor)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        return name


def _watched(process: subprocess.Popen[bytes]) -> asyncio.Future[Ending]:
    """Return a future of how a process ends."""
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[Ending] = loop.create_future()

    def ended(status: int) -> None:
        if not exited.done():
            exited.set_result(_ending(status))

    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(process.pid)

        def reap() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            ended(process.wait())

        loop.add_reader(descriptor, reap)
    else:

        def wait() -> None:
            status = process.wait()
            loop.call_soon_threadsafe(ended, status)

        threading.Thread(target=wait, daemon=True).start()
    return exited


def _ending(status: int) -> Ending:
    if status >= 0:
        return Ending(f"exited with status {status}", Cause.ITSELF)
    cause = Cause.KILLED if -status in _OUTSIDE else Cause.ITSELF
    return Ending(f"exited with signal {-status}", cause)
