"""The project's own build command, which makes `main` before it is bundled.

Source: docs/platform/bundling.md, "The project's own build command".
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.bundling.bundle import BundleError
from emulator.config.model import CustomBuild
from emulator.watch import Snapshot, snapshot

SLOW_S = 10.0  # then it is told that the command still runs
_SHOWN_LINES = 40
_LINE_BYTES = 1024 * 1024


class BuildCommand:
    """The command of one project, and the state of the files that it was last run for.

    A build that is given up leaves the command running: it would leave half of its files, and what
    it writes may be why the build was given up.
    """

    def __init__(
        self,
        build: CustomBuild,
        main: Path,
        process_env: Mapping[str, str],
        tell: Callable[[str], None],
    ) -> None:
        self._build = build
        self._main = main
        self._process_env = process_env
        self._tell = tell
        self._known: Snapshot | None = None
        self._running: asyncio.Task[None] | None = None

    async def run_if_needed(self) -> None:
        """Run the command if a file that it watches changed. Raises BundleError when it fails."""
        while True:
            earlier = self._running
            if earlier is None:
                found = self._snapshot()
                if found == self._known and self._main.is_file():
                    return
                self._running = asyncio.ensure_future(self._run_for(found))
                await asyncio.shield(self._running)
                return
            # Of a build that was given up: what was saved since needs another run.
            with contextlib.suppress(BundleError):
                await asyncio.shield(earlier)

    async def close(self) -> None:
        """End the command and everything that it started."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run_for(self, found: Snapshot) -> None:
        try:
            await self._run_and_check()
            self._known = found
        finally:
            self._running = None

    async def _run_and_check(self) -> None:
        command = self._build.command
        lines, status = await self._run()
        if status != 0:
            said = "\n".join(f"  {line}" for line in lines[-_SHOWN_LINES:])
            ended = f"exit status {status}" if status > 0 else f"signal {-status}"
            text = f"Running custom build `{command}` failed with {ended}."
            raise BundleError(f"{text}\n{said}".rstrip())
        if not self._main.is_file():
            raise BundleError(
                f'The expected output file at "{self._main}" was not found after running custom'
                f' build: "{command}".\n  Let the command write it, or correct main.'
            )

    def _snapshot(self) -> Snapshot:
        """Return the state of the watched files, without those that the command itself writes."""
        out = self._main.parent
        if out in self._build.watched:
            return {k: v for k, v in snapshot(self._build.watched, ()).items() if k != self._main}
        found = snapshot(self._build.watched, ())
        return {path: state for path, state in found.items() if not path.is_relative_to(out)}

    async def _run(self) -> tuple[list[str], int]:
        """Return the lines that the command writes, and its exit status."""
        try:
            # Such commands are lines for a shell: "npm run build && cp a b".
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", self._build.command),
                cwd=self._build.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=_LINE_BYTES,
                start_new_session=True,  # so that what it starts can be ended with it
                env=dict(self._process_env),
            )
        except OSError as error:
            raise BundleError(
                f"Running custom build `{self._build.command}` failed: {error}"
            ) from None
        lines: list[str] = []
        slow = asyncio.get_running_loop().call_later(SLOW_S, self._tell, self._still_runs())
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                lines.append(line.decode(errors="replace").rstrip())
                self._tell(f"[custom build] {lines[-1]}")
            return lines, await process.wait()
        finally:
            slow.cancel()
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    def _still_runs(self) -> str:
        return (
            f"[custom build] `{self._build.command}` still runs after {SLOW_S:g} s. The worker"
            " waits for its end, so it must not watch files itself; a save runs it again."
        )
