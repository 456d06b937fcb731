"""The output of a server as JSON, one object a line, for programs that read it.

Each line has `time`, `level`, `source` and `message`. The source is `groundfog`, `worker`,
`workflow` or `request`, and says which members follow. docs/logs.md tells users the same.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from bindings.network.network import Fetched
from emulator.cli.levels import Level
from emulator.cli.names import InstanceName
from emulator.cli.sink import Sink
from emulator.engine.model.divergence import Diverged
from emulator.engine.model.entries import Entry
from emulator.engine.model.step_key import StepKey
from emulator.runner.requests import LoadError
from emulator.runner.runner import OutputLine

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class JsonTerminal:
    """Does what `ConsoleTerminal` does, for programs. Lines go to the same streams."""

    def __init__(
        self, level: Level, directory: Path, *, worker: str = "", sink: Sink | None = None
    ) -> None:
        self._level = level
        self._directory = directory
        self._sink = sink or Sink()
        self._worker = {"worker": worker} if worker else {}

    def of(self, worker: str) -> JsonTerminal:
        """Return a terminal whose lines name a worker."""
        return JsonTerminal(self._level, self._directory, worker=worker, sink=self._sink)

    def introduce(self, text: str) -> None:
        """What the server is and where it listens."""
        self._own(Level.INFO, text.strip())

    def notice(self, text: str) -> None:
        """Something worth knowing."""
        self._own(Level.INFO, text)

    def warning(self, text: str) -> None:
        """Something that the person should read to avoid a surprise."""
        self._own(Level.WARN, text)

    def error(self, text: str) -> None:
        """Something that does not work."""
        self._own(Level.ERROR, text)

    def progress(
        self, of: InstanceName, text: str, entry: Entry, took_ms: int | None = None
    ) -> None:
        """A workflow made progress, `entry`."""
        told: dict[str, object] = {"workflow": of.workflow, "instance": of.id}
        told["kind"] = entry.kind.name
        if entry.step:
            step = StepKey.of(entry.step)
            told |= {"step": step.name, "count": step.count}
        if entry.attempt:
            told["attempt"] = entry.attempt
        if took_ms is not None:
            told["durationMs"] = took_ms
        self._write(Level.INFO, sys.stdout, "workflow", text, told)

    def reloaded(self, changed: frozenset[Path], duration_ms: float) -> None:
        """New code serves."""
        files = sorted(os.path.relpath(path, self._directory) for path in changed)
        told = {"files": files, "durationMs": round(duration_ms)}
        self._write(Level.INFO, sys.stdout, "groundfog", "reloaded", told)

    def load_failed(self, error: LoadError, still_serving: bool) -> None:
        """New code does not run."""
        told = {"traceback": error.traceback, "stillServing": still_serving}
        text = f"the worker could not be loaded: {error.name}: {error.message}"
        self._write(Level.ERROR, sys.stderr, "groundfog", text, told)

    def diverged(self, told: Diverged) -> None:
        """Code does not fit an instance."""
        from emulator.cli import divergences
        from emulator.cli.ink import Ink

        text = divergences.block([told], Ink(False)).strip()
        of = {"workflow": told.workflow, "instance": told.id}
        self._write(Level.WARN, sys.stderr, "workflow", text, of)

    def output(self, line: OutputLine) -> None:
        """A line the worker wrote."""
        is_error = line.stream == "stderr"
        told: dict[str, str] = {"stream": line.stream}
        name, tab, instance = line.label.partition("\t")
        if tab:
            told |= {"workflow": name, "instance": instance}
        elif name:
            told["request"] = name
        stream = sys.stderr if is_error else sys.stdout
        self._write(Level.WARN if is_error else Level.LOG, stream, "worker", line.text, told)

    def request(
        self, method: str, path: str, status: int, duration_ms: float, *, own: bool = False
    ) -> None:
        """A request was answered. own: a command of Groundfog made it, and all went well."""
        told = {"method": method, "path": path, "status": status}
        told |= {"durationMs": round(duration_ms)}
        text = f"{method} {path} {status}"
        self._write(Level.DEBUG if own else Level.INFO, sys.stdout, "request", text, told)

    def fetched(self, fetched: Fetched) -> None:
        """The worker has sent a request elsewhere."""
        told: dict[str, object] = {"method": fetched.method, "url": fetched.url}
        told |= {"status": fetched.status} if fetched.status else {"problem": fetched.problem}
        told |= {"durationMs": round(fetched.duration_ms)}
        text = f"fetch {fetched.method} {fetched.url} {fetched.status or fetched.problem}"
        level = Level.WARN if fetched.problem else Level.INFO
        self._write(level, sys.stdout, "fetch", text, told)

    def close(self) -> None:
        """Write everything collected, if somebody reads it; later lines are not written."""
        self._sink.close()

    def _own(self, level: Level, text: str) -> None:
        stream = sys.stdout if level >= Level.LOG else sys.stderr
        self._write(level, stream, "groundfog", text, {})

    def _write(
        self, level: Level, stream: TextIO, source: str, message: str, told: Mapping[str, object]
    ) -> None:
        if level > self._level:
            return
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        head = {"time": now, "level": level.name.lower(), "source": source, "message": message}
        self._sink.write(stream, _encode({**head, **self._worker, **told}))
