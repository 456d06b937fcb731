"""The guests of one worker: brought up and checked, put apart, retired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bindings.binding import Binding
from bindings.network.network import Network, NoNetwork
from bindings.webcrypto.webcrypto import Webcrypto
from emulator.config.model import Config
from emulator.config.text_files import shown_path
from emulator.errors import GuestError
from emulator.kinds.object_classes import missing_classes
from emulator.kinds.workflow_classes import check_exports
from emulator.protocol.loading import CRYPTO, EMAILS, NETWORK, STUBS, TAILS
from emulator.runner.guest import Guest
from emulator.runner.requests import LoadError
from emulator.runner.runner import Runner, WorkerSpec
from emulator.terminal import Terminal
from emulator.watched_files import WatchedFiles
from emulator.worker import Worker, worker_spec

if TYPE_CHECKING:
    from emulator.loaded_code import Code

DRAIN_LIMIT_MS = 30_000  # an old generation may finish its requests for this long
APART_AGAIN_MS = 5_000  # after a guest apart could not be brought up

ToLoad = tuple[WorkerSpec, Mapping[str, Binding]]
Loading = Callable[[WorkerSpec, Mapping[str, Binding]], ToLoad]


class Generations:
    """Decides what a guest loads and may call, and whether what it loaded can serve.

    nothing_to_serve: what is said of code without anything to run. loading: see `Seams` in
    `emulator/session.py`. trouble: the last reported reason why no guest could be started.
    """

    def __init__(
        self,
        worker: Worker,
        runner: Runner,
        files: WatchedFiles,
        nothing_to_serve: str,
        terminal: Terminal,
        loading: Loading | None,
    ) -> None:
        self._worker = worker
        self._runner = runner
        self._files = files
        self._nothing_to_serve = nothing_to_serve
        self._terminal = terminal
        self._loading = loading
        self._has_all = False  # the code in use has every class that its configuration names
        self._apart: dict[int, Guest] = {}  # by generation
        self.trouble = ""

    async def bring_up(self, config: Config) -> Guest:
        """Return a guest with the code as it is now. Raises LoadError, GuestError.

        Code that lacks a class of the configuration is a half-finished change. It does not take
        over from code that has all classes. Without such code, the classes that it has are served.
        """
        guest = await self._new(config)
        loaded = guest.loaded
        problems = [str(each) for each in check_exports(config, loaded.workflows, loaded.classes)]
        if config.is_python:
            problems += missing_classes(config, loaded.objects)
        main = shown_path(config.main, config.project_dir)
        is_empty = not (loaded.entrypoints or loaded.workflows or loaded.objects)
        if is_empty:
            problems.insert(0, f"{main} {self._nothing_to_serve}")
        if is_empty or (problems and self._has_all and self._runner.current is not None):
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

    async def isolate(self, folder: Path, code: Code) -> Guest:
        """Return a guest with code that the worker loads. Raises LoadError, GuestError."""
        config = self._worker.config
        parent, bindings = worker_spec(config), self._worker.bindings.of(config)
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
        return await self._runner.load(spec, {**found, **own}, apart=True)

    async def open_apart(self) -> None:
        """Bring up a guest for instances that are suspected of taking guests down."""
        config = self._worker.config
        try:
            code = self._files.version(config)
            guest = await self._new(config, apart=True)
            code = code or self._files.version(config, guest.code)
        except (LoadError, GuestError, OSError) as error:
            # New code that cannot be loaded is reported when it is saved.
            if not isinstance(error, LoadError) and str(error) != self.trouble:
                self.trouble = str(error)
                self._terminal.error(self.trouble)
            await asyncio.sleep(APART_AGAIN_MS / 1000)
            self._worker.engine.apart.failed()
            return
        self._apart[guest.generation] = guest
        self._worker.engine.use_apart(guest, code)

    async def close_apart(self, generation: int) -> None:
        """Stop it: it is suspected no more."""
        guest = self._apart.pop(generation)
        await self._worker.engine.released(guest)
        await guest.stop()

    async def retire(self, guest: Guest) -> None:
        """Let an old generation end what it is doing, then stop it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + DRAIN_LIMIT_MS / 1000
        grace_ms: int | None = None
        finished = False
        try:
            async with asyncio.timeout_at(until):
                await asyncio.gather(
                    guest.drain(DRAIN_LIMIT_MS), self._worker.engine.released(guest)
                )
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

    async def _new(self, config: Config, *, apart: bool = False) -> Guest:
        spec, bindings = worker_spec(config), self._worker.bindings.of(config)
        if self._loading is not None:
            spec, bindings = self._loading(spec, bindings)
        bindings = {**bindings, **self._own_bindings(bindings)}
        return await self._runner.load(spec, bindings, apart=apart)

    def _own_bindings(self, bindings: Mapping[str, Binding]) -> dict[str, Binding]:
        """Return what every guest may call besides the bindings of its configuration."""
        return {
            CRYPTO: Webcrypto(),
            EMAILS: self._worker.emails,
            NETWORK: bindings.get(NETWORK) or Network(self._terminal.fetched),
            STUBS: self._worker.peers.stubs,
            TAILS: self._worker.tails,
        }
