"""The host process of one test process: it answers until the test process has gone.

`INTERPRETER -I …/groundfog/testing/boot.py <socket>`. It ends at once then, and its guests with it,
however the test process ended: nothing is left but what was to be kept.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from emulator.config.model import Config
from emulator.errors import EmulatorError
from emulator.peers import Peers
from emulator.protocol import values
from emulator.protocol.bindings import BindingCall, BindingFailed
from emulator.protocol.exchanges import Cancel, Credit, Data, End
from emulator.runner.python.forkserver import Forkserver
from emulator.runner.python.interpreter import guest_interpreter
from emulator.server.http.loop import loop_factory
from emulator.session import Session
from emulator.testing import (  # noqa: F401  (they register what may be asked)
    clocks,
    conversations,
    databases,
    declaring,
    instances,
    life,
    mocking,
    objects,
    options,
    requests,
    surviving,
    telling,
)
from emulator.testing.connection import Connection
from emulator.testing.operations import ASKED, TOLD, Args
from emulator.testing.options import Options
from emulator.testing.refusals import Refused
from emulator.testing.spares import Spares
from emulator.testing.states import States
from emulator.testing.subject import Subject
from emulator.testing.wire import Answer, Ask, Refusal, Tell
from emulator.worker import worker_spec


def main(descriptor: int) -> None:
    """Serve one test process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the test process
    gc.freeze()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(socket.socket(fileno=descriptor)))


async def _serve(test: socket.socket) -> None:
    host = Host()
    test.setblocking(False)
    await asyncio.get_running_loop().create_unix_connection(lambda: host.line, sock=test)
    await asyncio.Event().wait()


class Host:
    """The workers of one test process, each with a number."""

    def __init__(self) -> None:
        self.line = Connection(self._leave)
        self.line.asked = self._asked
        self.line.told = self._told
        self.line.called = self._called
        self.line.body = self._body
        self._subjects: dict[int, Subject] = {}
        self._sessions: dict[Path, Session] = {}
        self._shadow_sources: dict[Path, Forkserver] = {}
        self._bodies: dict[int, int] = {}  # binding calls with bodies -> the worker
        self._asking: dict[int, asyncio.Task[None]] = {}
        self._base = Path()
        self._folders: set[Path] = set()
        self._last_folder = 0
        self._states = States()
        self._first: dict[int, Subject] = {}  # that has the checkpoint of a number
        self._spares = Spares(self._make)
        self._ending: set[asyncio.Task[None]] = set()
        self._groups: dict[str, Peers] = {}
        self._last = 0

    def _leave(self) -> None:
        """The test process has gone: guests end with their forkservers."""
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._states.remove()
        os._exit(0)

    # --- what is asked

    def _asked(self, message: Ask) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(message))
        self._asking[message.id] = task
        task.add_done_callback(lambda _: self._asking.pop(message.id, None))

    async def _answer(self, message: Ask) -> None:
        try:
            args = values.decode(message.payload)
            if message.worker:
                result = await self._do(self._subject(message.worker), message.what, args)
            else:
                result = await self._do_without(message.what, args)
            self.line.send(Answer(message.id, values.encode(result)))
        except Refused as refused:
            details = values.encode(refused.details)
            self.line.send(Refusal(message.id, refused.kind, refused.text, details))
        except EmulatorError as error:
            self.line.send(Refusal(message.id, "refused", str(error)))
        except Exception as error:  # a defect of ours: the test gets it, and the host goes on
            text = f"Groundfog failed: {type(error).__name__}: {error}"
            self.line.send(Refusal(message.id, "refused", text))
            raise

    async def _do(self, subject: Subject, what: str, args: Args) -> Any:
        number = next(number for number, each in self._subjects.items() if each is subject)
        if what == "close":
            del self._subjects[number]
            if (first := self._first.pop(number, subject)) is not subject:
                self._end(first, keep=False)
            return self._end(subject, keep=args["keep"])
        if what == "reset":
            return await self._reset(number)
        if what == "checkpoint":
            return await subject.keep()
        if what == "restore":
            return await self._restore(number)
        return await ASKED[what](subject, args)

    async def _do_without(self, what: str, args: Args) -> Any:
        if what == "open":
            return await self._open(args)
        raise Refused(f"Nothing is called {what}.")

    def _told(self, message: Tell) -> None:
        args = values.decode(message.payload)
        if message.what == "cancel":
            if (task := self._asking.get(args["id"])) is not None:
                task.cancel()
            return
        if (subject := self._subjects.get(message.worker)) is not None:
            TOLD[message.what](subject, args)

    def _called(self, message: BindingCall) -> None:
        """A binding is called; the number of the worker stands where that of a run would."""
        subject = self._subjects.get(message.run)
        if subject is None:
            text = "This worker is closed."
            self.line.send(BindingFailed(message.id, "Error", text))
            return
        self._bodies[message.id] = message.run
        subject.calls.start(message, run_is_live=True)

    def _body(self, message: Data | End | Credit | Cancel) -> None:
        subject = self._subjects.get(self._bodies.get(message.id, 0))
        if subject is not None:
            subject.calls.receive(message)

    # --- workers

    async def _open(self, args: Args) -> dict[str, Any]:
        """Open a worker; return what its `env` has, its number, and where its state is.

        base: the folder for all state.
        """
        wanted = Options(**args["options"])
        self._base = Path(args["base"])
        subject = await self._spares.take(replace(wanted, allow_hosts=tuple(wanted.allow_hosts)))
        self._last += 1
        self._subjects[self._last] = subject
        spec = worker_spec(subject.config)
        return {
            "worker": self._last,
            "name": subject.config.name,
            "python": subject.config.is_python,
            "bindings": {name: dict(binding) for name, binding in spec.bindings.items()},
            "vars": dict(spec.vars),
            "state": str(subject.worker.state.directory),
        }

    async def _make(self, wanted: Options) -> Subject:
        """Open a worker with fresh state. Raises LoadRefused."""
        config = await asyncio.to_thread(options.read, wanted)
        subject = await self._new(config, wanted)
        await subject.open()
        return subject

    async def _reset(self, number: int) -> None:
        """Put a fresh worker in the place of one, with the same options."""
        subject = self._subjects[number]
        fresh = self._subjects[number] = await self._spares.take(subject.options)
        fresh.take_over(subject)
        self._end(subject, keep=False)

    async def _session(self, project_dir: Path) -> Session:
        """Return the session of the interpreter that runs a project."""
        interpreter = guest_interpreter(project_dir, None, Path(sys.executable))
        if interpreter not in self._sessions:
            session = Session(Forkserver(interpreter))
            self._sessions[interpreter] = await session.__aenter__()
        return self._sessions[interpreter]

    async def _restore(self, number: int) -> None:
        """Put a worker in the place of one, that begins where that had its checkpoint."""
        first = self._first.setdefault(number, self._subjects[number])
        before = self._subjects[number]
        subject = await self._new(first.config, first.options)
        await subject.open(first)
        self._subjects[number] = subject
        if before is not first:
            self._end(before, keep=False)

    async def _new(self, config: Config, wanted: Options) -> Subject:
        self._last_folder += 1
        folder = self._base / f"{config.name}-{os.getpid()}-{self._last_folder}"
        self._folders.add(folder)
        session = await self._session(config.project_dir)
        shadow_source = partial(self._shadow_source, config.project_dir)
        peers = self._groups.setdefault(wanted.group, Peers()) if wanted.group else Peers()
        return Subject(
            *(session, config, wanted, folder, self.line, self._states, shadow_source, peers)
        )

    def _shadow_source(self, project_dir: Path) -> Forkserver:
        """Return what starts guests that only replay; it is started when one is needed."""
        interpreter = guest_interpreter(project_dir, None, Path(sys.executable))
        if interpreter not in self._shadow_sources:
            from emulator import shadow

            self._shadow_sources[interpreter] = shadow.source_of(interpreter)
        return self._shadow_sources[interpreter]

    def _end(self, subject: Subject, *, keep: bool) -> None:
        """End a worker beside everything else: its test need not wait for that."""
        ending = asyncio.get_running_loop().create_task(self._ended(subject, keep))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _ended(self, subject: Subject, keep: bool) -> None:
        await subject.close()
        self._folders.discard(subject.folder)
        if not keep:
            subject.remove()

    def _subject(self, number: int) -> Subject:
        if number not in self._subjects:
            raise Refused("This worker is closed.")
        return self._subjects[number]
