"""Workers that a Python worker loads when it runs: each in a guest of its own, by its id.

A few are kept; the one that was called least recently ends first, and is loaded again when it is
called. The files of each are in a folder that ends with it.
Source: docs/platform/worker-loader.md, "Loading".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from msgspec import Struct

from bindings.binding import Call, Encoded
from emulator import forwarding
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.runner import payloads
from emulator.runner.requests import RpcRequest

if TYPE_CHECKING:
    from emulator.loaded_code import Code
    from emulator.runner.guest import Guest

KEPT_MAX = 16
DRAIN_MS = 30_000
NOT_LOADED = "The worker was evicted while it was called. Call it again."
# Starts a guest from a folder with files: `(folder, code)`. Raises LoadError, GuestError.
Start = Callable[[Path, "Code"], Awaitable["Guest"]]


class _Isolate(Struct):
    guest: Guest
    folder: Path


class Isolates:
    """The loaded workers of one worker. Satisfies `bindings.loader.loader.Isolates`.

    start: the supervisor sets it.
    """

    def __init__(self) -> None:
        self.start: Start = _nothing_runs
        self._kept: dict[tuple[str, str], _Isolate] = {}  # the most recently called one last
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._ending: dict[asyncio.Task[None], _Isolate] = {}

    async def answer(self, loader: str, call: Call) -> Encoded:
        """Run `:ready(id)`, `:load(id, code)`, or `"<target> <method>"` of a loaded worker.

        target: `{"id", "entrypoint", "props"}` as quoted JSON. Raises WorkerError.
        """
        if call.method == ":ready":
            (name,) = values.decode(call.payload)
            return Encoded(*payloads.encode(self._find(loader, name) is not None))
        if call.method == ":load":
            name, given = values.decode(call.payload)
            await self._load((loader, str(name)), given)
            return Encoded(*payloads.encode(None))
        quoted, _, method = call.method.partition(" ")
        target = json.loads(unquote(quoted))
        isolate = self._find(loader, target["id"])
        if isolate is None:
            raise WorkerError(NOT_LOADED)
        return await _answered(isolate.guest, target, method, call)

    def drop(self) -> None:
        """End all of them once they have answered: there is new code that loads them."""
        for key in list(self._kept):
            self._end(key)

    async def close(self) -> None:
        """End all of them now."""
        ending, kept = dict(self._ending), list(self._kept.values())
        self._kept.clear()
        for task in ending:
            task.cancel()  # perhaps before it has begun
        await asyncio.gather(*ending, return_exceptions=True)
        await asyncio.gather(*(_stopped(each) for each in (*kept, *ending.values())))

    def _find(self, loader: str, name: str) -> _Isolate | None:
        """Return a loaded worker, which counts as called now."""
        key = loader, name
        isolate = self._kept.pop(key, None)
        if isolate is None:
            return None
        if isolate.guest.lost.done() or isolate.guest.connection.closed.done():
            _remove(isolate.folder)
            return None
        self._kept[key] = isolate
        return isolate

    async def _load(self, key: tuple[str, str], given: Any) -> None:
        import tempfile  # few workers load any

        from emulator.loaded_code import read_code

        code = read_code(given)
        async with self._locks.setdefault(key, asyncio.Lock()):
            if self._find(*key) is not None:
                return
            folder = Path(tempfile.mkdtemp(prefix="groundfog-loaded-"))
            try:
                await asyncio.to_thread(code.write, folder)
                guest = await self.start(folder, code)
            except BaseException as error:
                _remove(folder)
                if isinstance(error, forwarding.FAILURES):
                    raise WorkerError(f"The loaded worker failed to start: {error}") from error
                raise
            self._kept[key] = _Isolate(guest, folder)
        self._locks.pop(key, None)
        while len(self._kept) > KEPT_MAX:
            self._end(next(iter(self._kept)))

    def _end(self, key: tuple[str, str]) -> None:
        isolate = self._kept.pop(key)
        task = asyncio.get_running_loop().create_task(_drained(isolate))
        self._ending[task] = isolate
        task.add_done_callback(self._ending.pop)


async def _answered(guest: Guest, target: dict[str, Any], method: str, call: Call) -> Encoded:
    forwarding.check_depth("a loaded worker", call.depth)
    entrypoint = target["entrypoint"] or ""
    entrypoint = "" if entrypoint in ("default", "Default") else entrypoint
    props = target["props"]
    try:
        if method == forwarding.FETCH:
            request = forwarding.fetch_request(call, entrypoint, props)
            return forwarding.encoded_fetch(await guest.fetch(request))
        depth = call.depth + 1
        request_of = RpcRequest(method, call.payload, call.body, entrypoint, props, depth=depth)
        return forwarding.encoded(await guest.rpc(request_of))
    except forwarding.FAILURES as error:
        raise forwarding.told(error, "the loaded worker") from error


async def _drained(isolate: _Isolate) -> None:
    try:
        with contextlib.suppress(TimeoutError):
            await isolate.guest.drain(DRAIN_MS)
    finally:
        await _stopped(isolate)


async def _stopped(isolate: _Isolate) -> None:
    try:
        await isolate.guest.stop()
    finally:
        _remove(isolate.folder)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


async def _nothing_runs(folder: Path, code: Code) -> Guest:
    raise WorkerError("No server runs that could load a worker.")
