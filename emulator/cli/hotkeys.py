"""What keys do while `groundfog dev` runs on a terminal, as wrangler has them, and two of our own.

Imported only on a terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial

from emulator.cli.banner import tell_debugger, url_of
from emulator.cli.browser import open_page
from emulator.cli.dev_arguments import DevArguments
from emulator.cli.keyboard import Key
from emulator.cli.terminal import ConsoleTerminal
from emulator.errors import EmulatorError
from emulator.kinds.workflow import Workflow
from emulator.session import Running

PAGE = "/cdn-cgi/groundfog/"


class Hotkeys:
    """The keys of one session. The first worker is the one whose port the person asked for."""

    def __init__(
        self,
        workers: Sequence[Running],
        arguments: DevArguments,
        terminal: ConsoleTerminal,
        stop: Callable[[], None],
    ) -> None:
        self._workers = workers
        self._first = workers[0]
        self._url = url_of(self._first, arguments)
        self._terminal = terminal
        self._stop = stop
        self._moving: asyncio.Task[None] | None = None

    @property
    def actions(self) -> dict[str, Key]:
        """What each key does."""
        return {
            "b": partial(self._open, ""),
            "d": self._debugger,
            "e": partial(self._open, PAGE),
            "w": self._workflows,
            "s": self._skip,
            "c": self._clear,
            "x": self._stop,
            "q": self._stop,
        }

    @property
    def line(self) -> str:
        """One line that tells them: those that have an effect here."""
        told = {"b": "browser", "d": "debugger", "e": "explore"}
        if not self._may_debug:
            del told["d"]
        if any(each.worker.config.bound(Workflow) for each in self._workers):
            told["w"] = "workflows"
        if self._first.worker.timekeeper.is_virtual:
            told["s"] = "skip ahead"
        told |= {"c": "clear", "x": "exit"}
        return "  ".join(f"[{key}] {does}" for key, does in told.items())

    @property
    def _may_debug(self) -> bool:
        announced = self._first.announced
        return announced is not None and announced.debug_port is not None

    def _open(self, path: str) -> None:
        loop = asyncio.get_running_loop()

        def failed(text: str) -> None:
            with contextlib.suppress(RuntimeError):  # the event loop has ended
                loop.call_soon_threadsafe(self._terminal.warning, text)

        open_page(self._url + path, failed)

    def _debugger(self) -> None:
        if self._may_debug:
            tell_debugger(self._first, self._terminal)
        else:
            is_python = self._first.worker.config.is_python
            option = "--debug" if is_python else "--inspector-port=9229"
            self._terminal.notice(f"no debugger can attach; start with groundfog dev {option}")

    def _workflows(self) -> None:
        from emulator.cli.workflows.drawing.latest import latest_instances

        for each in self._workers:
            try:
                self._terminal.introduce(latest_instances(each.worker))
            except EmulatorError as error:
                self._terminal.error(str(error))

    def _skip(self) -> None:
        if self._moving is None or self._moving.done():
            self._moving = asyncio.create_task(self._moved(), name="skip ahead")

    async def _moved(self) -> None:
        from emulator.engine.model.plain import iso

        timekeeper = self._first.worker.timekeeper
        try:
            if await timekeeper.advance_to_next():
                self._terminal.notice(f"the clock moved to {iso(timekeeper.now_ms())}")
            else:
                self._terminal.notice("nothing is due, so the clock stays where it is")
        except EmulatorError as error:
            self._terminal.warning(str(error))

    def _clear(self) -> None:
        self._terminal.clear()
        self._terminal.introduce(f"Ready on {self._url}")
        self._terminal.introduce(self.line)
