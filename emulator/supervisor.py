"""Decides when code is loaded, switched, replaced and stopped. Owns the generations.

A save starts a new generation beside the old one, which serves until the new one is ready. If the
new one cannot be loaded, nothing changes. Processes are in `runner/`, workflows in `engine/`, and
`worker.py` puts the parts together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bindings.binding import Binding
from bindings.durable_objects.namespace import ObjectCalls, ObjectClass
from bindings.network.network import Fetched, Network, NoNetwork
from bindings.webcrypto.webcrypto import Webcrypto
from emulator import watch
from emulator.clock import Clock
from emulator.config.model import Config
from emulator.config.problems import InvalidConfig
from emulator.config.text_files import shown_path
from emulator.disk import refusal
from emulator.engine.control import Control
from emulator.engine.journal.lists import unfinished_text
from emulator.engine.model.divergence import Diverged
from emulator.errors import GuestError, WorkerError
from emulator.kinds.object_classes import missing_classes
from emulator.kinds.workflow_classes import check_exports
from emulator.objects.in_workerd import InWorkerd
from emulator.protocol.loading import CRYPTO, EMAILS, NETWORK, STUBS, TAILS
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
from emulator.runner.runner import OutputLine, Runner, WorkerSpec
from emulator.user_code import UserCode
from emulator.watched_files import WatchedFiles
from emulator.worker import Worker, worker_spec

if TYPE_CHECKING:
    from emulator.loaded_code import Code

DRAIN_LIMIT_MS = 30_000  # an old generation may finish its requests for this long
RESPAWN_FIRST_MS = 100
RESPAWN_LONGEST_MS = 5_000
HEALTHY_AFTER_MS = 10_000  # a guest that lived this long was no failed start


ToLoad = tuple[WorkerSpec, Mapping[str, Binding]]
Loading = Callable[[WorkerSpec, Mapping[str, Binding]], ToLoad]


class Terminal(Protocol):
    """What is told to the person at the terminal."""

    def notice(self, text: str) -> None: ...
    def warning(self, text: str) -> None: ...
    def error(self, text: str) -> None: ...
    def output(self, line: OutputLine) -> None: ...
    def fetched(self, fetched: Fetched) -> None: ...
    def reloaded(self, changed: frozenset[Path], duration_ms: float) -> None: ...
    def load_failed(self, error: LoadError, still_serving: bool) -> None: ...
    def diverged(self, told: Diverged) -> None: ...


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
        self._clock = clock
        self._terminal = terminal
        self._loading = loading
        self._follows_saves = follows_saves
        self._files = WatchedFiles(code, worker.config.files)
        self._failed: LoadError | None = None
        self._has_all = False  # the code in use has every class that its configuration names
        self._tries = 0  # how often loading was tried
        self._trouble = ""  # the last reported reason why no guest could be started
        self._losses = 0
        self._started_ms = 0
        self._changing = asyncio.Lock()
        self._ready = asyncio.Event()  # a first load has been tried
        self.loads = Loads()
        self._tasks: set[asyncio.Task[None]] = set()
        self.engine = worker.engine
        self.engine.divergences.told = terminal.diverged
        self._apart: dict[int, Guest] = {}  # by generation
        self.engine.apart.open = lambda: self._spawn(self._open_apart(), "a worker apart")
        self.engine.apart.close = lambda generation: self._spawn(
            self._close_apart(generation), f"stop generation {generation}"
        )
        self._removed: set[str] = set()  # removed files that were reported
        self.runner.on_lost = self._guest_lost
        self.unserved: Callable[[], None] = lambda: None
        worker.call = self.call
        worker.isolates.start = self._isolate
        worker.objects.serving = self._serving

    async def start(self) -> None:
        """Load the code, go on with unfinished instances, watch for changes."""
        self.worker.timekeeper.begin(self._terminal.warning)
        self.worker.define()
        if unfinished := self.engine.start():
            self._terminal.notice(unfinished_text(unfinished, self.engine.roster.definitions))
        await self.runner.start()
        if self._follows_saves:
            self._spawn(watch.get_ready(), "get ready to watch")
            await self._load()
            self._spawn(self._watch(), "watch")
        else:
            await self._load_once()

    async def stop(self) -> None:
        """Stop everything; what is in flight continues at the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
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

    @property
    def _config(self) -> Config:
        """The configuration in use, which a save may have changed since the start."""
        return self.worker.config

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
        config = self._config
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
        return self._config.project_dir

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
            config = self._config
            self._tries += 1
            code, looked_ns = "", watch.now_ns()
            try:
                # Before the import: a later change is new code.
                self._files.see()
                code = self._files.version(config)
                guest = await self._bring_up(config)
                if not code:
                    code = self._files.version(config, guest.code)
                    self._files.see_new(looked_ns)
            except LoadError as error:
                if not code:
                    self._files.see_new(looked_ns)
                self._failed = error
                self._terminal.load_failed(error, self.runner.current is not None)
                self._tell_unserved()
                return False
            except (GuestError, OSError) as error:
                self._no_guest(error)
                self._tell_unserved()
                return False
            finally:
                self._ready.set()
                self.loads.happened()
            self._failed = None
            self._trouble = ""
            self._started_ms = self._clock.now_ms()
            self.worker.define()
            old = self.runner.switch(guest)
            self.worker.isolates.drop()
            if config.is_python:
                self.worker.objects.serve(guest)
            self.worker.triggers.follow(config)
            self.engine.use_guest(guest, code)
            if old is not None:
                self._spawn(self._retire(old), f"retire generation {old.generation}")
                await old.retire()
            return True

    def _tell_unserved(self) -> None:
        if self.runner.current is None:
            self.unserved()

    def _no_guest(self, error: GuestError | OSError) -> None:
        """No process could be started, and the code is not the reason: try it again later."""
        text = str(error)
        if isinstance(error, OSError):
            text = refusal(self._config.project_dir, "the code cannot be read", error)
        if text != self._trouble:
            seconds = RESPAWN_LONGEST_MS // 1000
            self._terminal.error(f"{text}\n  The worker is started again every {seconds} s.")
        self._trouble = text
        self._spawn(self._try_again(self._tries), "another try")

    async def _try_again(self, tries: int) -> None:
        await asyncio.sleep(RESPAWN_LONGEST_MS / 1000)
        if self._tries == tries and await self._load():
            self._terminal.notice("the worker could be started again")

    async def _bring_up(self, config: Config) -> Guest:
        """Return a guest with the code as it is now. Raises LoadError, GuestError.

        Code that lacks a class of the configuration is a half-finished change. It does not take
        over from code that has all classes. Without such code, the classes that it has are served.
        """
        guest = await self._new_guest(config)
        loaded = guest.loaded
        problems = [str(each) for each in check_exports(config, loaded.workflows, loaded.classes)]
        if config.is_python:
            problems += missing_classes(config, loaded.objects)
        main = shown_path(config.main, config.project_dir)
        is_empty = not (loaded.entrypoints or loaded.workflows or loaded.objects)
        if is_empty:
            problems.insert(0, f"{main} {self.code.nothing_to_serve}")
        if is_empty or (problems and self._has_all and self.runner.current is not None):
            await guest.stop()
            text = "\n".join(problems)
            raise LoadError("MissingClass", text, text, main, 0)
        for problem in problems:
            self._terminal.error(problem)
        if config.is_python and loaded.entrypoints and "Default" not in loaded.entrypoints:
            name, place = next(iter(loaded.entrypoints.items()))
            self._terminal.warning(
                f"{place}: class {name} answers no requests; only the class Default does. Rename it"
                " if it should."
            )
        self._has_all = not problems
        return guest

    async def _new_guest(self, config: Config, *, apart: bool = False) -> Guest:
        spec, bindings = worker_spec(config), self.worker.bindings.of(config)
        if self._loading is not None:
            spec, bindings = self._loading(spec, bindings)
        bindings = {**bindings, **self._own_bindings(bindings)}
        return await self.runner.load(spec, bindings, apart=apart)

    def _own_bindings(self, bindings: Mapping[str, Binding]) -> dict[str, Binding]:
        """Return what every guest may call besides the bindings of its configuration."""
        return {
            CRYPTO: Webcrypto(),
            EMAILS: self.worker.emails,
            NETWORK: bindings.get(NETWORK) or Network(self._terminal.fetched),
            STUBS: self.worker.peers.stubs,
            TAILS: self.worker.tails,
        }

    async def _isolate(self, folder: Path, code: Code) -> Guest:
        """Return a guest with code that the worker loads. Raises LoadError, GuestError."""
        parent, bindings = worker_spec(self._config), self.worker.bindings.of(self._config)
        names = {name: of for name, of in code.bindings.items() if of in parent.bindings}
        spec = WorkerSpec(
            project_dir=folder,
            main=folder / code.main,
            compatibility_date=code.date,
            compatibility_flags=code.flags,
            bindings={name: {"kind": parent.bindings[of]["kind"]} for name, of in names.items()},
            vars=code.variables,
            asks_network=code.is_cut_off,
        )
        found: Mapping[str, Binding] = {name: bindings[of] for name, of in names.items()}
        if self._loading is not None:
            spec, found = self._loading(spec, found)
        own = self._own_bindings(found)
        if code.is_cut_off:
            own[NETWORK] = NoNetwork()
        return await self.runner.load(spec, {**found, **own}, apart=True)

    async def _open_apart(self) -> None:
        """Bring up a guest for instances that are suspected of taking guests down."""
        config = self._config
        try:
            code = self._files.version(config)
            guest = await self._new_guest(config, apart=True)
            code = code or self._files.version(config, guest.code)
        except (LoadError, GuestError, OSError) as error:
            # New code that cannot be loaded is reported when it is saved.
            if not isinstance(error, LoadError) and str(error) != self._trouble:
                self._trouble = str(error)
                self._terminal.error(self._trouble)
            await asyncio.sleep(RESPAWN_LONGEST_MS / 1000)
            self.engine.apart.failed()
            return
        self._apart[guest.generation] = guest
        self.engine.use_apart(guest, code)

    async def _close_apart(self, generation: int) -> None:
        guest = self._apart.pop(generation)
        await self.engine.released(guest)
        await guest.stop()

    async def _retire(self, guest: Guest) -> None:
        """Let an old generation end what it is doing, then stop it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + DRAIN_LIMIT_MS / 1000
        grace_ms: int | None = None
        finished = False
        try:
            async with asyncio.timeout_at(until):
                await asyncio.gather(guest.drain(DRAIN_LIMIT_MS), self.engine.released(guest))
            finished = True
            if guest.serves_clients:  # it may be answering still
                grace_ms = max(0, round((until - loop.time()) * 1000))
        except TimeoutError:
            pass
        finally:
            ended = await guest.stop(grace_ms)
            finished = finished and (ended or not guest.serves_clients)
        if not finished:
            self._terminal.warning(
                f"generation {guest.generation} still had requests after"
                f" {DRAIN_LIMIT_MS // 1000} s; they were cut off"
            )

    async def _watch(self) -> None:
        if self._is_reconfigured():  # between the reading of the configuration and the first load
            await self._reload_safely(self._files.of_configuration())
        async for changed in self._files.changes(self._terminal.warning):
            await self._reload_safely(changed)

    def _is_reconfigured(self) -> bool:
        try:
            return self._reread() != self._config
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
        for problem in config.warnings:
            if problem not in self._config.warnings:
                self._terminal.warning(str(problem))
        if config.is_python != self._config.is_python:
            text = f"main is {config.main.name} now, in another language"
            self._terminal.error(f"{text}; it takes effect at the next start of groundfog dev")
            return False
        if config.name != self._config.name:
            text = f"name is {config.name} now; other workers know it by that from the next start"
            self._terminal.warning(f"{text} of groundfog dev")
        settings, before = config.settings, self._config.settings
        if (settings.durability, settings.clock, config.dev) != (
            *(before.durability, before.clock),
            self._config.dev,
        ):
            self._terminal.warning(
                "durability, clock, ip and port take effect at the next start of groundfog dev"
            )
        self.worker.configure(config)
        self.runner.hang_timeout_ms = settings.hang_timeout_ms
        self._files.configuration = set(config.files)
        return True

    def _guest_lost(self, guest: Guest, reason: str) -> None:
        """The serving guest ended by itself: bring up another, later if that happens often."""
        self._terminal.error(f"generation {guest.generation} {reason}; starting it again")
        healthy = self._clock.now_ms() - self._started_ms > HEALTHY_AFTER_MS
        self._losses = 0 if healthy else self._losses + 1
        delay_ms = 0
        if self._losses > 1:
            delay_ms = min(RESPAWN_FIRST_MS * 2 ** min(self._losses, 10), RESPAWN_LONGEST_MS)
        self._ready.clear()
        self._spawn(self._respawn(delay_ms), "respawn")

    async def _respawn(self, delay_ms: int) -> None:
        await asyncio.sleep(delay_ms / 1000)
        if self.runner.current is None:
            await self._load()
        else:
            self._ready.set()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._terminal.error(f"{task.get_name()}: {type(error).__name__}: {error}")
