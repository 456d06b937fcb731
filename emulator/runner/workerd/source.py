"""The source of guests in workerd: bundles the code, configures and starts a process for it.

One source belongs to one worker, because each process is configured for one.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from bindings.binding import Forwarding
from bindings.http import HttpAnswer
from emulator.bundling.bundle import Bundle, BundleError
from emulator.errors import GuestError
from emulator.protocol.loading import EMAILS, STUBS, TAILS
from emulator.runner.guest_source import Inspected, WorkerSpec
from emulator.runner.requests import LoadError
from emulator.runner.workerd.configuration import Layout, asker_of, configuration
from emulator.runner.workerd.host_connection import Answer, Body, Handler
from emulator.runner.workerd.host_server import HostServer, listen_privately
from emulator.runner.workerd.member import Member
from emulator.runner.workerd.process import Start, WorkerdProcess, launch
from emulator.runner.workerd.public_sockets import PublicSockets
from emulator.runner.workerd.response_cache import ResponseCache
from emulator.runner.workerd.stacks import Stacks

if TYPE_CHECKING:
    from bindings.binding import Binding

BUILD_FAILED = "BuildError"


class Front(Struct, frozen=True):
    """What comes before the user's code in requests of clients. See `security.front_rules`.

    door: the unix socket of the server that answers control routes. tls: certificate and key in
    PEM, for HTTPS.
    """

    public: PublicSockets
    door: Path
    rules: Mapping[str, Any]
    tls: tuple[str, str] | None = None


# What our code in workerd asks the host: the path of the request, the stacks of the generation that
# asks, headers, the body.
Asked = Callable[[str, Stacks, Mapping[str, str], bytes], Awaitable[Answer]]


class WorkerdSource:
    """Starts workerd processes for one worker. Satisfies `GuestSource`.

    folder: for unix sockets. storage: the folder of Durable Objects, made when there are any. warn:
    gets what esbuild warns of. answer: answers what is asked for no binding.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        storage: Path,
        build: Callable[[], Awaitable[Bundle]],
        warn: Callable[[str], None],
        answer: Asked,
    ) -> None:
        self._program = program
        self._build = build
        self._warn = warn
        self._answer = answer
        self.front: Front | None = None
        self.folder = folder
        self._storage = storage
        self._host = HostServer(self.folder / "host.sock")
        self._processes: set[WorkerdProcess] = set()

    async def start(self) -> None:
        """Listen for what workerd asks. Raises EmulatorError."""
        await self._host.start()

    async def new_guest(
        self, generation: int, spec: WorkerSpec, bindings: Mapping[str, Binding], *, apart: bool
    ) -> WorkerdProcess:
        """Return a process with the code as it is now, which listens or will soon.

        Raises LoadError when the code does not build, GuestError when nothing can be started.
        """
        bundle = await self._bundle(spec)
        stacks = Stacks(spec.project_dir, bundle, generation)
        front = None if apart else self.front
        layout = Layout(
            generation,
            spec,
            bundle,
            self._host.path,
            front.door if front else None,
            front.rules if front else None,
            self._storage,
            front.tls if front else None,
        )
        if spec.durable:
            self._storage.mkdir(mode=0o700, exist_ok=True)
        process = self._launch(layout, front)
        process.code = sha256(b"".join(_identity(bundle))).hexdigest()
        process.explain = stacks.load_error
        process.line = stacks.line
        if spec.debug:
            process.inspected = Inspected(0, bundle.main, stacks.map or b"", stacks.mapped)
        askers = self._serve(generation, spec.members, bindings, stacks)
        self._processes.add(process)
        process.exited.add_done_callback(lambda _: self._ended(process, askers))
        return process

    async def stop(self) -> None:
        """End every remaining guest."""
        for process in list(self._processes):
            process.kill()
            await process.exited
        await self._host.stop()

    async def _bundle(self, spec: WorkerSpec) -> Bundle:
        try:
            bundle = await self._build()
        except BundleError as error:
            text = str(error)
            first = _first_line(text)
            raise LoadError(BUILD_FAILED, first, text, error.file, error.line) from error
        for warning in bundle.warnings:
            self._warn(warning)
        if bundle.service_worker:
            _check_service_worker(spec, bundle.main)
        return bundle

    def _launch(self, layout: Layout, front: Front | None) -> WorkerdProcess:
        control = self.folder / f"control-{layout.generation}.sock"
        listener = listen_privately(control)
        listeners: list[tuple[str, socket.socket]] = [("control", listener)]
        public: dict[str, str] = {}
        berth = None
        try:
            if front is not None:
                berth = front.public.berth()
                for index, each in enumerate(berth.sockets):
                    name = f"http-{index}"
                    listeners.append((name, each))
                    public[name] = str(each.getsockname()[0])
            described = partial(configuration, layout, public)
            # It cannot listen on a unix socket: it would never say that it is ready.
            arguments: tuple[str, ...] = ()
            if layout.spec.debug:
                arguments += ("--inspector-addr=127.0.0.1:0",)
            if any("workerLoader" in member.value for member in layout.spec.members):
                arguments += ("--experimental",)
            process = launch(Start(self._program, described, listeners, self.folder, arguments))
        except BaseException as error:
            if front is not None and berth is not None:
                front.public.leave(berth)
            if isinstance(error, OSError):
                raise GuestError(f"workerd cannot be started: {error}") from error
            raise
        finally:
            listener.close()
        process.control_path = str(control)
        if front is not None:
            process.public, process.berth = front.public, berth
        process.watch()
        return process

    def _serve(
        self,
        generation: int,
        members: tuple[Member, ...],
        bindings: Mapping[str, Binding],
        stacks: Stacks,
    ) -> list[str]:
        """Answer what a generation asks from now on; return how it is named as an asker."""

        stubs = bindings.get(STUBS)

        async def asked(method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
            if target == "/stub" and isinstance(stubs, Forwarding):
                from bindings.service.http import answer

                return await answer(stubs, method, target, headers, body)
            if target.startswith("/email/") and (emails := bindings.get(EMAILS)) is not None:
                from bindings.email import http

                return await http.answer(emails, method, target, headers, body)
            if target == "/tail" and (tails := bindings.get(TAILS)) is not None:
                await tails.call("trace", [json.loads(body)])
                return HttpAnswer(204, {}, b"")
            return await self._answer(target, stacks, headers, body)

        handlers: dict[str, Handler] = {
            f"{generation} user": asked,
            f"{generation} cache": ResponseCache().answer,
        }
        for member in members:
            if member.answer and member.name in bindings:
                asker = asker_of(generation, member.name)
                handlers[asker] = _of_binding(member, bindings[member.name])
                if member.streams:
                    self._host.streaming.add(asker)
        self._host.handlers |= handlers
        return list(handlers)

    def _ended(self, process: WorkerdProcess, askers: list[str]) -> None:
        self._processes.discard(process)
        Path(process.control_path).unlink(missing_ok=True)
        for asker in askers:
            self._host.handlers.pop(asker, None)
            self._host.streaming.discard(asker)


def _of_binding(member: Member, binding: Binding) -> Handler:
    found: list[Callable[..., Awaitable[Answer]]] = []

    async def handle(method: str, target: str, headers: dict[str, str], body: Body) -> Answer:
        if not found:  # what answers is imported at the first call
            module, _, name = member.answer.partition(":")
            found.append(getattr(import_module(module), name))
        opened = getattr(binding, "opened", None)
        return await found[0](opened() if opened else binding, method, target, headers, body)

    return handle


def _check_service_worker(spec: WorkerSpec, main: str) -> None:
    """Raise LoadError for bindings that workerd gives to modules only."""
    names = [member.name for member in spec.members if "wrapped" in member.value]
    if names:
        text = (
            f"{main} has no default export, so it is a script in service-worker format,"
            f" which cannot have {', '.join(names)}. Export an object with a fetch method:"
            " export default { … }"
        )
        raise LoadError(BUILD_FAILED, text, text, "", 0)


def _identity(bundle: Bundle) -> list[bytes]:
    return [
        part
        for each in bundle.modules
        for part in (each.name.encode(), each.kind.encode(), each.content)
    ]


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "the build failed")
