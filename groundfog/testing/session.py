"""The host of a test process, and the workers that tests open in it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

from groundfog.testing import options
from groundfog.testing.aio.worker import AsyncWorker
from groundfog.testing.host_process import HostProcess
from groundfog.testing.opened import Opened, open_worker
from groundfog.testing.sync.worker import Worker


class Groundfog:
    """Opens workers. The fixture `groundfog` is one; outside of pytest, make your own.

    base: what relative paths of projects are relative to; the current folder without it.
    state: where workers keep their state; a temporary folder without it.
    defaults: options of every worker.
    """

    def __init__(
        self,
        base: str | os.PathLike[str] | None = None,
        *,
        state: str | os.PathLike[str] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self._base = os.fspath(base) if base is not None else os.getcwd()
        self._state = os.fspath(state) if state is not None else None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._defaults = dict(defaults or {})
        self._host: HostProcess | None = None
        self._host_of: Callable[[], HostProcess] | None = None
        self.opened: list[Opened] = []
        self._groups = 0

    def worker(self, project: str | os.PathLike[str] | None = None, **wanted: Any) -> Worker:
        """Open the worker of a project and return it; it is closed as a context manager, or here.

        project: its folder; without it, the one that the defaults name, or the base folder.
        wanted: options, as of the mark `worker`. Raises WorkerLoadError, BadOption.
        """
        return Worker(self.open(_with(project, wanted)))

    def async_worker(
        self, project: str | os.PathLike[str] | None = None, **wanted: Any
    ) -> AsyncWorker:
        """Open the worker of a project for code on an event loop; see `worker`.

        It is opened before this returns, so nothing is awaited here.
        """
        return AsyncWorker(self.open(_with(project, wanted)).other_face())

    @contextlib.contextmanager
    def workers(
        self, *projects: str | os.PathLike[str], **wanted: Any
    ) -> Iterator[tuple[Worker, ...]]:
        """Open the workers of several projects, which call each other, until the block ends.

        `with groundfog.workers("shop", "stock") as (shop, stock): …`. wanted: options of each.
        """
        group = self._new_group()
        with contextlib.ExitStack() as stack:
            opened = [self.open(_with(project, wanted), group) for project in projects]
            yield tuple(stack.enter_context(Worker(each)) for each in opened)

    @contextlib.asynccontextmanager
    async def async_workers(
        self, *projects: str | os.PathLike[str], **wanted: Any
    ) -> AsyncIterator[tuple[AsyncWorker, ...]]:
        """Do the same for code on an event loop."""
        group = self._new_group()
        async with contextlib.AsyncExitStack() as stack:
            opened = [self.open(_with(project, wanted), group) for project in projects]
            faces = [AsyncWorker(each.other_face()) for each in opened]
            yield tuple([await stack.enter_async_context(face) for face in faces])

    def _new_group(self) -> str:
        self._groups += 1
        return f"{id(self)}.{self._groups}"

    def close(self) -> None:
        """Close every worker, and end the host if it is this object's own."""
        if self._host is not None and self._host_of is None:
            self._host.stop()
            self._host = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> Groundfog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def host(self) -> HostProcess:
        """The process that runs the workers; it is started when it is first needed."""
        if self._host_of is not None:
            return self._host_of()
        if self._host is None:
            self._host = HostProcess()
        return self._host

    def use_host(self, host_of: Callable[[], HostProcess]) -> None:
        """Take the host from here; its owner ends it."""
        self._host_of = host_of

    def open(self, wanted: Mapping[str, Any], group: str = "") -> Opened:
        """Open a worker by its options, for the faces. Raises WorkerLoadError, BadOption.

        group: of the workers that call each other.
        """
        merged = options.merge(self._defaults, options.of_environment(os.environ), wanted)
        opened = open_worker(self.host.link, merged, self._base, self._folder(), group)
        self.opened.append(opened)
        return opened

    def _folder(self) -> str:
        if self._state is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="groundfog-")
            self._state = self._temporary.name
        return self._state


def _with(project: str | os.PathLike[str] | None, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {**wanted} if project is None else {"project": project, **wanted}
