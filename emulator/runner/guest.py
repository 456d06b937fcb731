"""One guest as the host sees it: its process, its conversation, its output, and its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any, Protocol

from emulator.engine.guests.blame import Cause, Loss
from emulator.protocol.life import STUCK_IN, Continued, DebugListening, Shutdown, Stopped
from emulator.protocol.loading import Loaded
from emulator.protocol.message import Message, ProtocolError
from emulator.protocol.runs import RunMessage
from emulator.runner.connection import Connection
from emulator.runner.debugging import Debugging, Halts
from emulator.runner.guest_source import Ending, GuestProcess, Inspected
from emulator.runner.output import OutputPipe
from emulator.runner.requests import (
    FetchReply,
    FetchRequest,
    GuestLost,
    InvokeReply,
    InvokeRequest,
    RpcReply,
    RpcRequest,
)

LAST_BYTES_MS = 1_000  # a dead guest's socket may be held open by a process user code started
STACK_WAIT_MS = 500  # for the stack of a guest that hangs to be printed
_STACK_QUIET_MS = 50


class RunHandler(Protocol):
    """Decides about workflow runs, as the engine does."""

    def hear(self, guest: Guest, message: RunMessage) -> None:
        """Handle a message of a run. Raises ProtocolError for a message no guest may send."""
        ...

    def mishap(self, guest: Guest, number: int, problem: str) -> None:
        """A message about the run with this number could not be handled."""
        ...

    def guest_lost(self, guest: Guest, loss: Loss) -> None: ...
    def all_heard(self) -> None:
        """All messages that have arrived by now have been passed on and can be recorded."""
        ...

    def work_of(self, guest: Guest) -> list[str]:
        """Return what the guest is doing, such as `'instance "order-17", step "charge" #1'`."""
        ...


class Guest:
    """A generation of user code, loaded and running.

    If it ends without having been asked to, `on_lost` is called with the reason before the requests
    in it fail, and `lost` is resolved with it.
    """

    def __init__(
        self,
        generation: int,
        process: GuestProcess,
        connection: Connection,
        pipes: tuple[OutputPipe, OutputPipe],
        handler: RunHandler,
    ) -> None:
        self.generation = generation
        self.pid = process.pid
        self.loaded = Loaded({}, {}, {})
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.on_lost: Callable[[Guest, str], None] | None = None
        self.connection = connection
        self._process = process
        self._pipes = pipes
        self._handler = handler
        self._stopping = False
        self._serving = False
        self._cause = ""  # why we killed it, if we did
        self._culprit = 0  # number of the run that was the reason, if it is known
        self._is_request = False  # a request is known to be the reason
        self.halts = Halts(asyncio.get_running_loop().time)
        self.debugging: Debugging | None = None
        connection.attach(self)
        connection.debugger_said = self._debugged
        self._end = asyncio.create_task(self._watch_end(), name=f"guest {generation}")

    def serve(self, loaded: Loaded) -> None:
        """The code is loaded: from now on the handler is told when the guest ends."""
        self.loaded = loaded
        self._serving = True

    def send(self, message: Message) -> None:
        """Send a message about a workflow run; a guest that is gone ignores it."""
        self.connection.send(message)

    def when_read(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the guest has read everything that it was sent so far."""
        self.connection.when_read(callback)

    async def fetch(self, request: FetchRequest) -> FetchReply:
        """Let the guest answer `request`. Raises HandlerError, GuestLost."""
        await self._takes_calls()
        return await self.connection.exchanges.fetch(request)

    async def invoke(self, request: InvokeRequest) -> InvokeReply:
        """Call a method of the user's code. Raises HandlerError, GuestLost."""
        await self._takes_calls()
        return await self.connection.exchanges.invoke(request)

    async def rpc(self, request: RpcRequest) -> RpcReply:
        """Call a method for another worker. Raises HandlerError, GuestLost, FrameTooLarge."""
        await self._takes_calls()
        return await self.connection.exchanges.rpc(request)

    async def _takes_calls(self) -> None:
        await self.connection.room()
        if self._process.exited.done() or self.connection.closed.done():
            raise GuestLost(f"guest {self.generation} is not running any more")

    async def drain(self, limit_ms: int) -> None:
        """Take no new clients; return when no request is open. Raises TimeoutError in the end.

        What a guest that serves clients answers by itself, `stop` waits for.
        """
        await self._process.retire()
        async with asyncio.timeout(limit_ms / 1000):
            await self.connection.exchanges.idle()

    @property
    def code(self) -> str:
        """What is equal for equal code, if the source knows it; see `GuestProcess`."""
        return self._process.code

    @property
    def inspected(self) -> Inspected | None:
        """How a debugger reaches its code; see `GuestProcess`."""
        return self._process.inspected

    @property
    def serves_clients(self) -> bool:
        """Whether it answers HTTP by itself; see `GuestProcess`."""
        return self._process.serves_clients

    async def retire(self) -> None:
        """It serves no more: return when it takes no new requests of clients."""
        await self._process.retire()

    def take_over(self) -> None:
        """It serves from now on."""
        self._process.take_over()

    async def stop(self, grace_ms: int | None = None) -> bool:
        """Ask it to end, wait, kill it; return when it is gone, and whether it ended by itself.

        grace_ms: how long to wait; None: as long as such a guest usually needs.
        """
        self._stopping = True
        grace_ms = self._process.stop_grace_ms if grace_ms is None else grace_ms
        if not self._process.exited.done():
            await self._process.retire()
            self.connection.send(Shutdown())
            await asyncio.wait([self._process.exited], timeout=grace_ms / 1000)
        ended = self._process.exited.done()
        self._process.kill()
        await asyncio.shield(self._end)
        return ended

    def kill(self, cause: str, stuck_in: str = "") -> None:
        """End it at once; `cause` is the reason that is reported, e.g. `"broke the protocol"`.

        stuck_in: whose code hangs in it, `"workflow run 12"` or `"a request"`, if it is known.
        """
        self._cause = self._cause or cause
        if stuck_in.startswith("workflow run "):
            self._culprit = self._culprit or int(stuck_in.removeprefix("workflow run "))
        self._is_request = stuck_in == "a request"
        self._process.kill()

    def stuck_in(self) -> str:
        """Return whose code hangs, as the guest said after `stack`; "" if it did not say so."""
        found = [line for line in self._pipes[1].recent if line.startswith(STUCK_IN)]
        return found[-1].removeprefix(STUCK_IN).strip() if found else ""

    def broke_protocol(self, error: ProtocolError, run: int = 0) -> None:
        """End it: it sent a message about `run` that no guest may send."""
        self._culprit = self._culprit or run
        self.kill(f"broke the runner protocol ({error}) and was killed")

    async def stack(self) -> str:
        """Make the guest print its stack on stderr, and return it; "" if it cannot."""
        if not self._process.prints_stack:
            return ""
        recent = self._pipes[1].recent
        recent.clear()
        self._process.kill(signal.SIGUSR1)
        deadline = asyncio.get_running_loop().time() + STACK_WAIT_MS / 1000
        seen = -1
        while asyncio.get_running_loop().time() < deadline and not 0 < len(recent) == seen:
            seen = len(recent)
            await asyncio.sleep(_STACK_QUIET_MS / 1000)
        return "\n".join(recent)

    def last_words(self) -> str:
        """Return the last lines it printed on stderr."""
        return "\n".join(self._pipes[1].recent)

    def work(self) -> list[str]:
        """Return what is in flight in it, in words; `listed` joins them."""
        requests = [f"handling {work}" for work in self.connection.exchanges.work()]
        return requests + [f"running {work}" for work in self._handler.work_of(self)]

    @property
    def was_interrupted(self) -> bool:
        """Whether it has ended for a reason other than its code or a decision of ours."""
        exited = self._process.exited
        return (
            exited.done()
            and not self._cause
            and exited.result().cause in (Cause.KILLED, Cause.HOST)
        )

    async def ended(self) -> str:
        """Return, once it has ended, how: `"exited with status 3"`."""
        await asyncio.shield(self._end)
        return self._cause or self._process.exited.result().text

    def hear(self, message: RunMessage) -> None:
        self._handler.hear(self, message)

    def all_heard(self) -> None:
        self._handler.all_heard()

    def mishap(self, number: int, problem: str) -> None:
        self._handler.mishap(self, number, problem)

    def _debugged(self, message: Stopped | Continued | DebugListening) -> None:
        if self.debugging is not None:
            self.debugging.hear(self, message)

    async def _watch_end(self) -> None:
        """Wait for the end of the process and tell everyone who waits for it, once."""
        exited: asyncio.Future[Any] = self._process.exited
        closed: asyncio.Future[Any] = self.connection.closed
        await asyncio.wait([exited, closed], return_when=asyncio.FIRST_COMPLETED)
        if not exited.done():
            await asyncio.wait([exited], timeout=LAST_BYTES_MS / 1000)
            self._process.kill()
            await exited
        # What it managed to send before it ended still counts.
        await asyncio.wait([closed], timeout=LAST_BYTES_MS / 1000)
        self.connection.close()
        for pipe in self._pipes:
            pipe.close()
        if self.debugging is not None:
            self.debugging.lost(self)
        ending: Ending = exited.result()
        reason = self._cause or ("was stopped" if self._stopping else ending.text)
        expected = self._stopping or not self._serving
        if not expected:
            cause = Cause.ENDED if self._cause else ending.cause
            if self._is_request:
                cause = Cause.REQUEST
            if self.halts:  # somebody at a debugger has ended it
                cause = Cause.HOST
            others = bool(self.connection.exchanges)
            self._tell_loss(Loss(reason, cause, self._culprit, others))
        self.connection.exchanges.fail_all(
            lambda request: f"guest {self.generation} {reason} while handling {request}"
        )
        await self.connection.calls.close()

    def _tell_loss(self, loss: Loss) -> None:
        work = self.work()
        doing = f"{loss.reason} while {listed(work)}" if work else loss.reason
        self._handler.guest_lost(self, loss)
        if self.on_lost is not None:
            self.on_lost(self, doing)
        self.lost.set_result(doing)


MakeGuest = Callable[
    [int, GuestProcess, Connection, tuple[OutputPipe, OutputPipe], RunHandler], Guest
]


def listed(work: list[str], shown: int = 5) -> str:
    """Return the first of these, and how many more there are."""
    more = len(work) - shown
    return ", ".join(work[:shown]) + (f" and {more} more" if more > 0 else "")
