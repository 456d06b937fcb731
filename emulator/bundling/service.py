"""esbuild as a service: one process that is asked again and again over its standard input.

It owns the process. Closing its standard input ends it, once a build that it is at has ended; where
the kernel can, it ends with this process at once. Nothing here knows what is built.
Source: docs/platform/bundling.md, "esbuild's service".
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from emulator.bundling.bundle import BundleError
from emulator.bundling.packets import MalformedPacket, Packet, Value, decode, encode
from emulator.bundling.tools import Found
from emulator.child_processes import ends_with_parent

Message = dict[str, Value]
Answerer = Callable[[Message], Awaitable[Message]]  # answers what esbuild asks during a build

_BUFFER_BYTES = 1024 * 1024
_STDERR_LINES = 20
_END_WAIT_S = 2.0


class Service:
    """A running esbuild. `answer` gets every request of esbuild itself."""

    def __init__(self, process: asyncio.subprocess.Process, answer: Answerer) -> None:
        self._process = process
        self._answer = answer
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._next = 0
        self._last_lines: deque[str] = deque(maxlen=_STDERR_LINES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self.pid = process.pid

    @property
    def has_ended(self) -> bool:
        """Whether esbuild is gone, or is to go."""
        return self._is_closed or self._process.returncode is not None

    @classmethod
    async def start(cls, esbuild: Found, folder: Path, answer: Answerer) -> Service:
        """Start esbuild in `folder`. Raises BundleError when it cannot be started."""
        try:
            process = await asyncio.create_subprocess_exec(
                esbuild.path,
                f"--service={esbuild.version}",
                cwd=folder,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_BUFFER_BYTES,
                start_new_session=True,  # Ctrl-C at the terminal is for the host alone
                preexec_fn=ends_with_parent(os.getpid()),
                env={**os.environ, "NO_COLOR": "1"},
            )
        except OSError as error:
            raise BundleError(
                f"esbuild cannot be started: {error}.\n  Delete node_modules and install again;"
                " `groundfog doctor` shows what was found."
            ) from None
        service = cls(process, answer)
        service._own(service._read())
        service._own(service._read_stderr())
        return service

    async def ask(self, message: Message) -> Message:
        """Return esbuild's answer. Raises BundleError when it refuses the request or has ended."""
        if self.has_ended:
            raise BundleError(self._reason())
        number = self._next
        self._next += 1
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._write(Packet(number, True, message))
            found = await answer
        finally:
            self._waiting.pop(number, None)
        refusal = found.get("error")
        if isinstance(refusal, str):
            raise BundleError(f"esbuild: {refusal}")
        return found

    async def close(self) -> None:
        """End the process and wait for its end."""
        self._is_closed = True
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_WAIT_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _own(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _write(self, packet: Packet) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(encode(packet))

    async def _read(self) -> None:
        """Take esbuild's packets until it ends. Its first packet is its version alone."""
        stdout = self._process.stdout
        assert stdout is not None
        try:
            await stdout.readexactly(int.from_bytes(await stdout.readexactly(4), "little"))
            while True:
                length = int.from_bytes(await stdout.readexactly(4), "little")
                self._take(decode(await stdout.readexactly(length)))
        except asyncio.IncompleteReadError:
            pass
        except asyncio.CancelledError:  # the event loop ends, and nobody has closed this
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            raise
        except MalformedPacket as error:
            self._last_lines.append(f"malformed packet: {error}")
            self._process.kill()
        finally:
            await self._process.wait()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(BundleError(self._reason()))

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._last_lines.append(line.decode(errors="replace").rstrip())

    def _take(self, packet: Packet) -> None:
        value = packet.value
        if not isinstance(value, dict):
            raise MalformedPacket("a packet without an object")
        if packet.is_request:
            self._own(self._reply(packet.number, value))
        elif (answer := self._waiting.get(packet.number)) and not answer.done():
            answer.set_result(value)

    async def _reply(self, number: int, request: Message) -> None:
        try:
            answer = {} if request.get("command") == "ping" else await self._answer(request)
        except Exception as error:  # without an answer, esbuild would wait for ever
            self._last_lines.append(f"our own answer failed: {error!r}")
            self._process.kill()
            raise
        if not self.has_ended:
            self._write(Packet(number, False, answer))

    def _reason(self) -> str:
        said = "".join(f"\n  {line}" for line in self._last_lines if line)
        return f"esbuild ended with {self._process.returncode} while it was needed.{said}"
