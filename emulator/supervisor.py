"""Decides when code is loaded, switched, replaced and stopped.

A save starts a new generation beside the old one, which serves until the new one is ready. If the
new one cannot be loaded, nothing changes. What a guest loads, and how it is retired, is in
`generations.py`; processes are in `runner/`, workflows in `engine/`, and `worker.py` puts the parts
together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bindings.durable_objects.namespace import ObjectCalls, ObjectClass
from emulator import watch
from emulator.clock import Clock
from emulator.config.model import Config
from emulator.config.problems import InvalidConfig
from emulator.disk import refusal
from emulator.engine.control import Control
from emulator.engine.journal.lists import unfinished_text
from emulator.errors import GuestError, WorkerError
from emulator.generations import Generations, Loading
from emulator.losses import Losses
from emulator.objects.in_workerd import InWorkerd
from emulator.reconfiguration import accepted
from emulator.runner.guest import Guest
from emulator.runner.loads import Loads
from emulator.runner.requests import (
    FetchReply,
    FetchRequest,
    GuestLost,
    InvokeRequest,
    LoadError,
    RpcReply,
    RpcRequest,
)
from emulator.runner.runner import Runner
from emulator.tasks import Tasks
from emulator.terminal import Terminal
from emulator.user_code import UserCode
from emulator.watched_files import WatchedFiles
from emulator.worker import Worker

TRY_AGAIN_S = 5  # after no process could be started


class Supervisor:
    """Runs one worker. `fetch` and `failed_load` make it the one that ingress serves.

    code: the files of its code. reread: reads the worker's configuration again. Raises
    InvalidConfig. `unserved` is called when no generation could be loaded and none serves.
    loading, follows_saves: see `Seams` in `emulator/session.py`.
    """

    def __init__(
        self,
        worker: Worker,
        runner: Runner,
        code: UserCode,
        reread: Callable[[], Config],
        clock: Clock,
        terminal: Terminal,
        *,
        loading: Loading | None = None,
        follows_saves: bool = True,
    ) -> None:
        self.worker = worker
        self.runner = runner
        self.code = code
        self._reread = reread
        self._terminal = terminal
        self._follows_saves = follows_saves
        self._files = WatchedFiles(code, worker.config.files)
        self._failed: LoadError | None = None
        self._tries = 0  # how often loading was tried
        self._losses = Losses(clock)
        self._changing = asyncio.Lock()
        self._ready = asyncio.Event()  # a first load has been tried
        self.loads = Loads()
        self._tasks = Tasks(terminal.error)
        self.engine = worker.engine
        self.engine.divergences.told = terminal.diverged
        self._generations = Generations(
            worker, runner, self._files, code.nothing_to_serve, terminal, loading
        )
        opened, closed = self._generations.open_apart, self._generations.close_apart
        self.engine.apart.open = lambda: self._tasks.spawn(opened(), "a worker apart")
        self.engine.apart.close = lambda generation: self._tasks.spawn(
            closed(generation), f"stop generation {generation}"
        )
        self._removed: set[str] = set()  # removed files that were reported
        self.runner.on_lost = self._guest_lost
        self.unserved: Callable[[], None] = lambda: None
        worker.call = self.call
        worker.isolates.start = self._generations.isolate
        worker.objects.serving = self._serving

    async def start(self) -> None:
        """Load the code, go on with unfinished instances, watch for changes."""
        self.worker.timekeeper.begin(self._terminal.warning)
        self.worker.define()
        if unfinished := self.engine.start():
            self._terminal.notice(unfinished_text(unfinished, self.engine.roster.definitions))
        await self.runner.start()
        if self._follows_saves:
            self._tasks.spawn(watch.get_ready(), "get ready to watch")
            await self._load()
            self._tasks.spawn(self._watch(), "watch")
        else:
            await self._load_once()

    async def stop(self) -> None:
        """Stop everything; what is in flight continues at the next start."""
        await self._tasks.stop()
        await self.worker.triggers.stop()
        self.worker.stop()
        await self.runner.stop()
        await self.code.close()
        await self.worker.close()

    def look_at_state(self) -> None:
        """Report once that files in use were removed."""
        self.engine.look_at_journal()
        for told in self.worker.bindings.removed():
            if told not in self._removed:
                self._removed.add(told)
                self._terminal.error(told)

    # --- the worker, as ingress sees it

    @property
    def generation(self) -> int:
        """The generation that serves; 0: none."""
        guest = self.runner.current
        return 0 if guest is None else guest.generation

    async def fetch(self, request: FetchRequest) -> FetchReply:
        """Let the current generation answer, unless a front of the worker answers first.

        Raises LoadError, HandlerError, GuestLost.
        """
        if not request.entrypoint:
            reply = await self.front(request)
            if reply is not None:
                return reply
        await self._runs()
        return await self.runner.fetch(request)

    @property
    def executor(self) -> Control:
        """What executes its workflows."""
        return self.worker.control

    def objects(self, class_name: str) -> tuple[ObjectClass, ObjectCalls]:
        """Return a class of its Durable Objects, and where they live. Raises WorkerError."""
        config = self.worker.config
        for bound in config.bound(ObjectClass):
            if bound.record.name == class_name:
                return bound.record, self.worker.objects if config.is_python else InWorkerd(self)
        raise WorkerError(
            f"The worker {config.name} has no binding to a class {class_name} of its own. Add one "
            "to its durable_objects.bindings."
        )

    async def rpc(self, request: RpcRequest) -> RpcReply:
        """Let the current generation answer a call. Raises LoadError, HandlerError, GuestLost."""
        await self._runs()
        return await self.runner.rpc(request)

    async def front(self, request: FetchRequest) -> FetchReply | None:
        """Answer a request without the worker's code; None: only that code can answer."""
        return await self.worker.front(request) if self.worker.has_front else None

    async def call(self, handler: str, args: list[Any]) -> Any:
        """Let the current generation handle an event. Raises LoadError, HandlerError, GuestLost."""
        await self._runs()
        reply = await self.runner.invoke(InvokeRequest("", handler, args))
        return reply.value

    async def _serving(self) -> Guest:
        """Return the guest that serves. Raises LoadError, GuestLost."""
        await self._runs()
        assert self.runner.current is not None
        return self.runner.current

    async def _runs(self) -> None:
        """Wait for the first load. Raises LoadError, GuestLost if no generation runs after it."""
        if self.runner.current is None:
            await self._ready.wait()
            if self.runner.current is None:
                if self._failed is not None:
                    raise self._failed
                raise GuestLost("the worker is not running; see the terminal for why")

    @property
    def project_dir(self) -> Path:
        """Where its code is."""
        return self.worker.config.project_dir

    def failed_load(self) -> LoadError | None:
        """Return why the newest code does not run; None if it runs."""
        return self._failed

    # --- generations

    async def _load(self) -> bool:
        """Bring up a generation of the code as it is now; return whether it took over.

        When the code is saved during its import, it begins again: mended code must not wait for an
        import that hangs.
        """
        while True:
            saved = asyncio.ensure_future(self._files.saved_again())
            loading = asyncio.ensure_future(self._load_once())
            try:
                await asyncio.wait([loading, saved], return_when=asyncio.FIRST_COMPLETED)
                if loading.done():
                    return loading.result()
            finally:
                saved.cancel()
                loading.cancel()
                await asyncio.gather(saved, loading, return_exceptions=True)

    async def _load_once(self) -> bool:
        async with self._changing:
            config = self.worker.config
            self._tries += 1
            code, looked_ns = "", watch.now_ns()
            try:
                # Before the import: a later change is new code.
                self._files.see()
                code = self._files.version(config)
                guest = await self._generations.bring_up(config)
                if not code:
                    code = self._files.version(config, guest.code)
                    self._files.see_new(looked_ns)
            except LoadError as error:
                if not code:
                    self._files.see_new(looked_ns)
                self._failed = error
                self._terminal.load_failed(error, self.runner.current is not None)
                return self._not_loaded()
            except (GuestError, OSError) as error:
                self._no_guest(error)
                return self._not_loaded()
            finally:
                self._ready.set()
                self.loads.happened()
            self._failed = None
            self._generations.trouble = ""
            self._losses.begin()
            self.worker.define()
            old = self.runner.switch(guest)
            self.worker.isolates.drop()
            if config.is_python:
                self.worker.objects.serve(guest)
            self.worker.triggers.follow(config)
            self.engine.use_guest(guest, code)
            if old is not None:
                self._tasks.spawn(
                    self._generations.retire(old), f"retire generation {old.generation}"
                )
                await old.retire()
            return True

    def _not_loaded(self) -> bool:
        """Nothing new serves; tell it where nothing old does."""
        if self.runner.current is None:
            self.unserved()
        return False

    def _no_guest(self, error: GuestError | OSError) -> None:
        """No process could be started, and the code is not the reason: try it again later."""
        text = str(error)
        if isinstance(error, OSError):
            text = refusal(self.worker.config.project_dir, "the code cannot be read", error)
        if text != self._generations.trouble:
            self._terminal.error(f"{text}\n  The worker is started again every {TRY_AGAIN_S} s.")
        self._generations.trouble = text
        self._tasks.spawn(self._try_again(self._tries), "another try")

    async def _try_again(self, tries: int) -> None:
        await asyncio.sleep(TRY_AGAIN_S)
        if self._tries == tries and await self._load():
            self._terminal.notice("the worker could be started again")

    async def _watch(self) -> None:
        if self._is_reconfigured():  # between the reading of the configuration and the first load
            await self._reload_safely(self._files.of_configuration())
        async for changed in self._files.changes(self._terminal.warning):
            await self._reload_safely(changed)

    def _is_reconfigured(self) -> bool:
        try:
            return self._reread() != self.worker.config
        except InvalidConfig:
            return True

    async def _reload_safely(self, changed: frozenset[Path]) -> None:
        try:
            await self.reload(changed)
        except Exception as error:  # one reload may fail; the next save must still be seen
            self._terminal.error(f"the reload failed: {type(error).__name__}: {error}")

    async def reload(self, changed: frozenset[Path]) -> bool:
        """Load what changed, the configuration included; return whether that serves now."""
        started = asyncio.get_running_loop().time()
        code = self._files.of_code(changed)
        if code != changed and not self._reconfigure() and not code:
            return False
        loaded = await self._load()
        if loaded:
            elapsed_ms = (asyncio.get_running_loop().time() - started) * 1000
            self._terminal.reloaded(changed, elapsed_ms)
        return loaded

    def _reconfigure(self) -> bool:
        """Read the configuration again; return whether it can be used."""
        try:
            config = self._reread()
        except InvalidConfig as error:
            self._files.configuration |= set(error.files)
            self._terminal.error(f"{error}\n  The configuration in use stays as it was.")
            return False
        if not accepted(config, self.worker.config, self._terminal):
            return False
        self.worker.configure(config)
        self.runner.hang_timeout_ms = config.settings.hang_timeout_ms
        self._files.configuration = set(config.files)
        return True

    def _guest_lost(self, guest: Guest, reason: str) -> None:
        """The serving guest ended by itself: bring up another, later if that happens often."""
        self._terminal.error(f"generation {guest.generation} {reason}; starting it again")
        self._ready.clear()
        self._tasks.spawn(self._respawn(self._losses.wait_ms()), "respawn")

    async def _respawn(self, delay_ms: int) -> None:
        await asyncio.sleep(delay_ms / 1000)
        if self.runner.current is None:
            await self._load()
        else:
            self._ready.set()
