"""Where a runner gets guest processes from, in whatever language the guests are written.

A source belongs to its maker. It outlives the runners that use it, so that stopping one worker
does not stop the guests of another.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from emulator.engine.guests.blame import Cause
from emulator.runner.requests import LoadError

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.runner.workerd.member import DurableClass, Member

STOP_GRACE_MS = 200  # from asking a guest to end to killing it


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a guest must know to load user code.

    `bindings`: name -> `{"kind": "d1" | "ai" | …, "friendly"?: …, …}`; see `load` in `PROTOCOL.md`.
    `vars` may hold secrets. `members`: the same bindings for a guest in workerd; empty for others.
    `has_front`: the host answers some requests before the worker does. `durable`: the classes of
    its Durable Objects.
    elsewhere: names that other environments have, and where, for hints.
    asks_network, allowed_hosts, debug, traced, deployed_files, clock_ahead_ms: see `load` in
    `PROTOCOL.md`.
    """

    project_dir: Path
    main: Path
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    bindings: Mapping[str, Mapping[str, Any]]
    vars: Mapping[str, Any]
    members: tuple[Member, ...] = ()
    has_front: bool = False
    durable: tuple[DurableClass, ...] = ()
    asks_network: bool = False
    allowed_hosts: tuple[str, ...] = ()
    debug: bool = False
    traced: bool = False
    deployed_files: tuple[str, ...] = ()
    clock_ahead_ms: int = 0
    elsewhere: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inspected:
    """How a debugger reaches the code of a guest.

    port: of its inspector, on loopback; 0: not known yet. main: the module with the user's code.
    source_map: of that module. mapped: puts places in the user's files into a stack.
    """

    port: int
    main: str
    source_map: bytes
    mapped: Callable[[str], str]

    def is_main(self, url: str) -> bool:
        """Whether this script is the user's bundled code."""
        return bool(self.source_map) and url == self.main

    def place(self, frames: Sequence[Mapping[str, Any]]) -> str:
        """Return where halted code is: `"src/index.ts:12"`. frames: the debugger's, last first."""
        if not frames:
            return self.main
        frame = frames[0]
        name, location = frame["url"], frame["location"]
        line, column = location["lineNumber"] + 1, location.get("columnNumber", 0) + 1
        shown = self.mapped(f"    at {name}:{line}:{column}").strip().removeprefix("at ")
        return shown.rpartition(":")[0] or name


class Ending(NamedTuple):
    """How a guest process ended: `"exited with status 3"`, and who did it."""

    text: str
    cause: Cause


@dataclass(slots=True, eq=False)
class GuestProcess:
    """A fresh guest process and the host's ends of what connects it.

    `exited` is resolved with how it ended. `prints_stack`: SIGUSR1 makes it print its stack on
    stderr. `serves_clients`: it answers HTTP by itself, and ends when it has answered, after
    `retire` and the end of the conversation. `stop_grace_ms`: how long it may take to end.
    `code`: equal for equal code, where the source knows what it has built. `inspected`: how a
    debugger reaches it, if one may.
    """

    pid: int
    stdout: int
    stderr: int
    exited: asyncio.Future[Ending]
    prints_stack: bool = field(default=True, kw_only=True)
    serves_clients: bool = field(default=False, kw_only=True)
    stop_grace_ms: int = field(default=STOP_GRACE_MS, kw_only=True)
    code: str = field(default="", kw_only=True)
    inspected: Inspected | None = field(default=None, kw_only=True)

    async def connect(self, protocol: asyncio.Protocol) -> None:
        """Open the conversation. Raises GuestError."""
        raise NotImplementedError

    def not_loaded(self, said: str) -> LoadError | None:
        """Return why the code did not load, from what a process that has ended printed on stderr.

        None: that it ended is all there is to say.
        """
        return None

    def shown(self, line: str) -> str | None:
        """Return a line that it printed as people see it; None: not at all."""
        return line

    def take_over(self) -> None:
        """Its generation serves from now on: send new clients here."""

    async def retire(self) -> None:
        """Its generation serves no more: return when it takes no new requests of clients."""

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the process if it has not ended."""
        if not self.exited.done():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass  # it ended; the report is on its way


class GuestSource(Protocol):
    """Starts guest processes, for any number of runners at a time."""

    async def start(self) -> None:
        """Get ready to start guests. Raises GuestError."""
        ...

    async def new_guest(
        self, generation: int, spec: WorkerSpec, bindings: Mapping[str, Binding], *, apart: bool
    ) -> GuestProcess:
        """Return a process that waits for `load`; one `apart` serves no clients.

        Raises GuestError with the reason it cannot, LoadError when the code cannot be built.
        """
        ...

    async def stop(self) -> None:
        """End every remaining guest, and the process that started them."""
        ...
