"""What only a TypeScript or JavaScript worker has: its bundle, its processes, its own door.

`session.py` puts it beside the parts that every worker has. It is imported only for such a worker.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from emulator.bundling.tools import find_tools
from emulator.config.model import Config
from emulator.runner.workerd.source import Front, WorkerdSource
from emulator.server.ingress import OnError
from emulator.server.request_log import OnRequest
from emulator.server.workerd_door import WorkerdDoor, WorkerdQuestions
from emulator.state import OBJECTS, State
from emulator.user_code import BundledCode

if TYPE_CHECKING:
    from emulator.certificate import Certificate
    from emulator.supervisor import Supervisor
    from emulator.terminal import Terminal

# In the state directory:
SOCKETS = "workerd"
POLYFILLS = "polyfills.json"
# The path of a unix socket has at most 104 bytes on macOS, and 108 on Linux.
FOLDER_MAX_BYTES = 80


@contextlib.asynccontextmanager
async def source_alone(
    config: Config, report: Callable[[str], None]
) -> AsyncIterator[WorkerdSource]:
    """Yield a source of guests for code that is only looked at: nobody can connect to it."""
    tools = find_tools(config.project_dir, os.environ)
    questions = WorkerdQuestions(report, lambda method, target, error: None, None)
    with tempfile.TemporaryDirectory(prefix="groundfog-") as folder:
        code = BundledCode(lambda: config, tools, report, Path(folder, POLYFILLS))
        source = WorkerdSource(
            tools.workerd.path,
            Path(folder),
            Path(folder, OBJECTS),
            code.build,
            report,
            questions.answer,
        )
        try:
            yield source
        finally:
            await source.stop()
            await code.close()


class WorkerdParts:
    """The parts of one worker. Raises ToolError when a program is missing."""

    def __init__(
        self,
        config: Callable[[], Config],
        state: State,
        terminal: Terminal,
        on_error: OnError,
        on_request: OnRequest | None,
    ) -> None:
        tools = find_tools(config().project_dir, os.environ)
        cache = state.directory / POLYFILLS
        self.code = BundledCode(config, tools, terminal.notice, cache)
        self._questions = WorkerdQuestions(terminal.error, on_error, on_request)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.source = WorkerdSource(
            tools.workerd.path,
            self._folder(state),
            state.directory.absolute() / OBJECTS,
            self.code.build,
            terminal.warning,
            self._questions.answer,
        )
        self._door: WorkerdDoor | None = None

    def connect(self, supervisor: Supervisor) -> None:
        """Let questions and clients be answered with what this supervisor knows."""
        self._questions.serving = supervisor
        supervisor.unserved = self._unserved

    def open_door(
        self,
        sockets: list[socket.socket],
        rules: Mapping[str, Any],
        certificate: Certificate | None,
    ) -> None:
        """Let clients of these sockets, which belong to the door from now on, reach the worker."""
        tls = None if certificate is None else certificate.context()
        self._door = WorkerdDoor(sockets, self.source.folder, tls)
        texts = None if certificate is None else certificate.texts()
        self.source.front = Front(self._door.public, self._door.path, rules, texts)

    async def listen(self, app: ASGIApp) -> None:
        """Answer what workerd passes on. Raises EmulatorError."""
        if self._door is not None:
            await self._door.start(app)

    async def close_door(self) -> None:
        """Take no new clients."""
        if self._door is not None:
            await self._door.stop()

    async def stop(self) -> None:
        """End every process that is left."""
        await self.source.stop()
        self.discard()

    def discard(self) -> None:
        """Remove the folder of sockets."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def _folder(self, state: State) -> Path:
        """Return a folder for unix sockets. Raises OSError.

        Their paths must be short; the state directory's may not be.
        """
        folder = state.directory.absolute() / SOCKETS
        if len(os.fsencode(folder)) > FOLDER_MAX_BYTES:
            self._temporary = tempfile.TemporaryDirectory(prefix="groundfog-")
            return Path(self._temporary.name)
        shutil.rmtree(folder, ignore_errors=True)  # of a server that was killed
        folder.mkdir(mode=0o700)
        return folder

    def _unserved(self) -> None:
        if self._door is not None:
            self._door.serve_clients()
