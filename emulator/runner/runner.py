"""The runner: brings generations of user code up, knows the current one, watches for hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bindings.binding import Binding
from emulator.errors import GuestError
from emulator.protocol import values
from emulator.protocol.loading import PROTOCOL_VERSION, Load, LoadFailed
from emulator.runner.connection import Connection
from emulator.runner.debugging import Debugging
from emulator.runner.guest import Guest, MakeGuest, RunHandler, listed
from emulator.runner.guest_source import GuestProcess, GuestSource, WorkerSpec
from emulator.runner.output import OutputLine, OutputPipe
from emulator.runner.requests import (
    FetchReply,
    FetchRequest,
    GuestLost,
    InvokeReply,
    InvokeRequest,
    LoadError,
    RpcReply,
    RpcRequest,
)

__all__ = ["OutputLine", "RunHandler", "Runner", "WorkerSpec"]

LOAD_TIMEOUT_MS = 30_000
PING_EVERY_MS = 1_000
LOAD_TIMED_OUT = "TimeoutError"
LOAD_CRASHED = "GuestExited"


class Runner:
    """Brings up guests from one source. The source belongs to the caller; `stop` does not end it.

    `report` gets messages for the person at the terminal. `on_lost(guest, reason)` is called when
    the current guest has ended by itself; the caller brings up another one. `make_guest`: see
    `Seams` in `emulator/session.py`. address: gives a guest the address of what it sends; without
    it, no function can be sent.
    """

    def __init__(
        self,
        source: GuestSource,
        handler: RunHandler,
        output: Callable[[OutputLine], None],
        report: Callable[[str], None],
        hang_timeout_ms: int,
        load_timeout_ms: int = LOAD_TIMEOUT_MS,
        make_guest: MakeGuest = Guest,
        debugging: Debugging | None = None,
        address: Callable[[Guest], str] | None = None,
    ) -> None:
        self._address = address
        self._source = source
        self._handler = handler
        self._output = output
        self._report = report
        self.hang_timeout_ms = hang_timeout_ms
        self._load_timeout_ms = load_timeout_ms
        self._make_guest = make_guest
        self.debugging = debugging
        self._generation = 0
        self._guests: dict[Guest, asyncio.Task[None]] = {}
        self.current: Guest | None = None
        self.on_lost: Callable[[Guest, str], None] | None = None

    async def start(self) -> None:
        """Get the source ready. Raises GuestError."""
        await self._source.start()

    async def load(
        self, spec: WorkerSpec, bindings: Mapping[str, Binding], *, apart: bool = False
    ) -> Guest:
        """Return a new guest that has loaded the present code, and does not serve yet.

        One `apart` never serves.
        Raises LoadError when the code cannot be imported, GuestError when no guest can be started.
        """
        self._generation += 1
        generation = self._generation
        process = await self._source.new_guest(generation, spec, bindings, apart=apart)
        guest = await self._conversing(generation, process, spec, bindings)
        try:
            address = "" if self._address is None else self._address(guest)
            guest.send(_load_message(spec, guest.generation, address))
            answer = await self._loaded(guest, spec)
            if isinstance(answer, LoadFailed):
                raise LoadError(
                    answer.name, answer.message, answer.traceback, answer.file, answer.line
                )
            guest.serve(answer)
        except BaseException:
            guest.kill("was killed, because its code did not load")
            await guest.stop()
            raise
        watch = asyncio.create_task(self._watch(guest), name=f"watch guest {guest.generation}")
        self._guests[guest] = watch
        watch.add_done_callback(lambda _: self._guests.pop(guest, None))
        guest.on_lost = self._guest_lost
        return guest

    def switch(self, guest: Guest) -> Guest | None:
        """Let `guest` serve from now on; return the one that did."""
        previous, self.current = self.current, guest
        guest.take_over()
        if guest.lost.done():  # it ended between loading and now
            asyncio.get_running_loop().call_soon(self._guest_lost, guest, guest.lost.result())
        return previous

    async def fetch(self, request: FetchRequest) -> FetchReply:
        """Let the current guest answer. Raises HandlerError, GuestLost."""
        if self.current is None:
            raise GuestLost("no generation of the worker is running")
        if self.current.halts and self.debugging is not None:
            path = urlsplit(request.url).path
            self.debugging.waits(self.current, f"{request.method} {path}")
        return await self.current.fetch(request)

    async def invoke(self, request: InvokeRequest) -> InvokeReply:
        """Call a method of the current guest. Raises HandlerError, GuestLost."""
        if self.current is None:
            raise GuestLost("no generation of the worker is running")
        return await self.current.invoke(request)

    async def rpc(self, request: RpcRequest) -> RpcReply:
        """Call a method of the current guest for another worker.

        Raises HandlerError, GuestLost, FrameTooLarge.
        """
        if self.current is None:
            raise GuestLost("no generation of the worker is running")
        return await self.current.rpc(request)

    async def stop(self) -> None:
        """Stop every guest of this runner."""
        self.current = None
        watches = dict(self._guests)
        await asyncio.gather(*(guest.stop() for guest in watches))
        for watch in watches.values():
            watch.cancel()
        await asyncio.gather(*watches.values(), return_exceptions=True)

    async def _conversing(
        self,
        generation: int,
        process: GuestProcess,
        spec: WorkerSpec,
        bindings: Mapping[str, Binding],
    ) -> Guest:
        """Open the conversation with a process. Raises GuestError, and LoadError when it ends."""
        early = _Early(self._output)
        pipes = (
            OutputPipe(process.stdout, generation, "stdout", self._output, process.shown),
            OutputPipe(process.stderr, generation, "stderr", early.tell, process.shown),
        )
        loop = asyncio.get_running_loop()
        connection = Connection(loop, bindings, lambda error, run: guest.broke_protocol(error, run))
        try:
            async with asyncio.timeout(self._load_timeout_ms / 1000):
                await process.connect(connection)
        except BaseException as error:
            process.kill()
            await process.exited
            for pipe in pipes:
                pipe.close()
            if isinstance(error, TimeoutError):
                seconds = self._load_timeout_ms / 1000
                text = f"{_shown(spec)} was still being imported after {seconds:g} s"
                raise LoadError(LOAD_TIMED_OUT, text, text, _shown(spec), 0) from None
            failed = process.not_loaded("\n".join(pipes[1].recent))
            if isinstance(error, GuestError) and failed is not None:
                raise failed from None
            early.pass_on()
            raise
        early.pass_on()
        guest = self._make_guest(generation, process, connection, pipes, self._handler)
        guest.debugging = self.debugging
        return guest

    async def _loaded(self, guest: Guest, spec: WorkerSpec) -> Any:
        """Wait for the import to end.

        Raises LoadError when it hangs or ends the guest, GuestError when something else ends it.
        """
        answered: asyncio.Future[Any] = guest.connection.loaded
        ended: asyncio.Future[Any] = asyncio.ensure_future(guest.ended())
        done: set[asyncio.Future[Any]] = set()
        now_s = asyncio.get_running_loop().time
        until_s = now_s() + self._load_timeout_ms / 1000
        while not done and (left_s := until_s + guest.halts.halted_s - now_s()) > 0:
            done, _ = await asyncio.wait(
                [answered, ended], timeout=left_s, return_when=asyncio.FIRST_COMPLETED
            )
        if answered in done:
            ended.cancel()
            return answered.result()
        file = _shown(spec)
        if ended in done:
            text = f"guest {guest.generation} {ended.result()} while importing {file}"
            if guest.was_interrupted:  # the code may still be good
                raise GuestError(f"{text}; something outside ended it.")
            raise LoadError(LOAD_CRASHED, text, guest.last_words(), file, 0)
        ended.cancel()
        seconds = self._load_timeout_ms / 1000
        text = f"{file} was still being imported after {seconds:g} s; its stack is shown"
        raise LoadError(LOAD_TIMED_OUT, text, await guest.stack(), file, 0)

    async def _watch(self, guest: Guest) -> None:
        """Ping a busy guest; when it does not answer for the hang timeout, end it.

        As long as it goes on reading what was sent, it gets more time.
        """
        loop = asyncio.get_running_loop()
        connection = guest.connection
        every_s = min(PING_EVERY_MS, self.hang_timeout_ms) / 1000
        asked: tuple[int, int] | None = None
        asked_at = 0.0
        while not connection.closed.done():
            await asyncio.wait([connection.closed], timeout=every_s)
            before, asked = asked, connection.unanswered()
            if asked is None:
                if connection.busy or guest.serves_clients:
                    guest.when_read(lambda: None)
                    asked = connection.unanswered()
                    asked_at = loop.time()
            elif asked != before or guest.halts:
                asked_at = loop.time()
            elif (loop.time() - asked_at) * 1000 >= self.hang_timeout_ms:
                await self._end_hanging(guest)
                return

    async def _end_hanging(self, guest: Guest) -> None:
        work = guest.work()
        shown = await guest.stack()
        doing = f" while {listed(work)}" if work else ""
        seconds = self.hang_timeout_ms / 1000
        where = "; where it was stuck is shown above (stderr)" if shown else ""
        self._report(
            f"guest {guest.generation} did not respond for {seconds:g} s{doing}. It is killed"
            f"{where}. Code that computes for long without `await` stops every other request."
        )
        guest.kill(f"did not respond for {seconds:g} s and was killed", guest.stuck_in())

    def _guest_lost(self, guest: Guest, reason: str) -> None:
        if self.current is guest:
            self.current = None
            if self.on_lost is not None:
                self.on_lost(guest, reason)
        else:
            self._report(f"generation {guest.generation} {reason}")


class _Early:
    """Keeps what is printed until it is known whether an error will say the same."""

    def __init__(self, output: Callable[[OutputLine], None]) -> None:
        self._output = output
        self._kept: list[OutputLine] | None = []

    def tell(self, line: OutputLine) -> None:
        if self._kept is None:
            self._output(line)
        else:
            self._kept.append(line)

    def pass_on(self) -> None:
        kept, self._kept = self._kept, None
        for line in kept or ():
            self._output(line)


def _load_message(spec: WorkerSpec, generation: int, address: str) -> Load:
    return Load(
        PROTOCOL_VERSION,
        generation,
        str(spec.project_dir),
        str(spec.main),
        spec.compatibility_date,
        list(spec.compatibility_flags),
        {name: dict(binding) for name, binding in spec.bindings.items()},
        spec.asks_network,
        list(spec.allowed_hosts),
        spec.debug,
        address,
        list(spec.deployed_files),
        spec.clock_ahead_ms,
        traced=spec.traced,
        payload=values.encode({"vars": dict(spec.vars), "elsewhere": dict(spec.elsewhere)}),
    )


def _shown(spec: WorkerSpec) -> str:
    main = Path(spec.project_dir, spec.main)
    if main.is_relative_to(spec.project_dir):
        return main.relative_to(spec.project_dir).as_posix()
    return str(main)
