"""The life of a worker under test: begun again, ended, changed while it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from groundfog.testing.opened import Opened

__tracebackhide__ = True  # pytest shows the line of the test, not ours


class AsyncLife:
    """What becomes of a worker's state, process and code."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._link = opened.link

    async def reset(self) -> None:
        """Begin again: fresh state, no instances, no mocks, no logs, the same code."""
        await self._link.asking(self._opened.number, "reset")

    async def restart(self) -> None:
        """Stop the worker and start it again on the same state, as a server that is restarted.

        Workflows go on where they were recorded. Mocks, rules and time stay; variables of the code
        and open WebSockets are lost. `url` is another one afterwards.
        """
        await self._link.asking(self._opened.number, "restart")

    async def kill(self) -> None:
        """Kill the process that runs the worker's code, with SIGKILL; another takes its place.

        Workflows go on where they were recorded; variables of the code are lost.
        """
        await self._link.asking(self._opened.number, "kill")

    async def hibernate(self, instance: str | None = None) -> list[str]:
        """Drop the runs of workflows that only wait now: what comes next replays them.

        instance: the id of one; without it, all of them. Returns the ids. Local variables of
        `run()` are lost, as when a deployed instance sleeps for long. Raises RefusedError for an
        instance that does something.
        """
        found: list[str] = await self._link.asking(
            self._opened.number, "hibernate", instance=instance
        )
        return found

    async def edit(self, files: Mapping[str, str | None]) -> None:
        """Save changed files, and load the code as it is then: `edit({"src/entry.py": text})`.

        Paths are relative to the project; None deletes a file. What is changed is a copy of the
        project, which this worker has from then on. Instances that the new code does not fit are
        treated as the option `on_divergence` says. Raises WorkerLoadError when the code does not
        load; the code before it goes on then.
        """
        given = {os.fspath(path): text for path, text in files.items()}
        await self._link.asking(self._opened.number, "edit", files=given)

    async def source(self, path: str) -> str:
        """Return a file of the project as this worker has it, to be edited."""
        return str(await self._link.asking(self._opened.number, "source", path=path))

    @property
    async def held(self) -> list[dict[str, Any]]:
        """The instances that changed code does not fit: `{"workflow", "id", "why", "line"}`.

        With `on_divergence="hold"`, they wait for a person.
        """
        found: list[dict[str, Any]] = await self._link.asking(self._opened.number, "held")
        return found
