"""The routes about the journal: its size, and pruning of ended instances.

`/cdn-cgi/groundfog/journal`: our own path, as Cloudflare has no such route.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

from starlette.requests import Request
from starlette.routing import Route

from emulator.answers.workflows import JournalSizes, Pruned
from emulator.durations import InvalidDuration, parse_duration_ms
from emulator.engine.journal import lists, prune
from emulator.engine.journal.prune import LARGEST_MAX, Prunable, Sizes
from emulator.engine.model.instance import TERMINAL, Status
from emulator.errors import StateError
from emulator.json_types import Json
from emulator.kinds.workflow import Workflow
from emulator.server.api.bodies import object_body
from emulator.server.api.envelope import OWN_BASE, Answer, endpoint
from emulator.server.api.parameters import bad, whole_number
from emulator.server.api.workflows.dialects import V4
from emulator.worker import Worker

COMPACT_MAX_BYTES = 64 * 1024 * 1024  # rewritten in about half a second; everything waits for it
_FIELDS = ("workflow", "status", "older_than", "dry_run", "compact")


class JournalRoutes:
    """Handlers of these routes."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def show(self, request: Request) -> Answer:
        """GET: the size of the journal, by workflow, and its `largest` (10) instances."""
        largest = whole_number(request, "largest", 10, LARGEST_MAX)
        journal = self._worker.engine.journal
        with contextlib.suppress(StateError):  # what could not be recorded takes up nothing
            await journal.committed()
        sizes = await asyncio.to_thread(prune.measure, journal.path, largest)
        return Answer(_sizes(str(journal.path), sizes))

    async def prune(self, request: Request) -> Answer:
        """POST …/prune: `{"workflow"?, "status"?, "older_than"?, "dry_run"?, "compact"?}`.

        Answers `{"pruned", "freed_bytes"}`; a dry run only counts.
        """
        body = await object_body(request)
        wanted = self._wanted(body)
        engine = self._worker.engine
        if _flag(body, "dry_run"):
            return Answer(Pruned(pruned=prune.count(engine.journal, wanted), freed_bytes=0))
        pruned = await prune.prune(engine.journal, wanted, engine.delete)
        limit = engine.journal.path.stat().st_size if _flag(body, "compact") else COMPACT_MAX_BYTES
        freed = await engine.journal.give_back(limit)
        return Answer(Pruned(pruned=pruned, freed_bytes=freed))

    def _wanted(self, body: dict[str, Json]) -> Prunable:
        if unknown := sorted(body.keys() - set(_FIELDS)):
            raise bad(f"'{unknown[0]}' is not a field here; expected {', '.join(_FIELDS)}.")
        return Prunable(
            self._workflow(body.get("workflow")),
            _statuses(body.get("status")),
            self._until_ms(body.get("older_than")),
        )

    def _workflow(self, name: Json) -> str | None:
        """Return a workflow to prune; it may be one that was removed from the configuration."""
        if name is None:
            return None
        if not isinstance(name, str):
            raise bad(f"'workflow' is {json.dumps(name)}; expected a name.")
        known = {bound.record.name for bound in self._worker.config.bound(Workflow)}
        if name not in known | lists.recorded_workflows(self._worker.engine.journal):
            raise V4.no_workflow(name)
        return name

    def _until_ms(self, span: Json) -> int | None:
        if span is None:
            return None
        try:
            # Nothing ended before 1970. This keeps any span a number that SQLite can store.
            return max(0, self._worker.engine.clock.now_ms() - parse_duration_ms(span))
        except (InvalidDuration, OverflowError) as error:
            raise bad(f"'older_than' is {error}") from None


def _sizes(path: str, sizes: Sizes) -> JournalSizes:
    return {
        "path": path,
        "file_bytes": sizes.file_bytes,
        "log_bytes": sizes.log_bytes,
        "free_bytes": sizes.free_bytes,
        "workflows": [
            {
                "name": workflow.workflow,
                "instances": workflow.instances,
                "entries": workflow.entries,
                "bytes": workflow.history_bytes,
            }
            for workflow in sizes.workflows
        ],
        "largest_instances": [
            {
                "workflow": instance.workflow,
                "id": instance.id,
                "status": instance.status.value,
                "entries": instance.entries,
                "bytes": instance.history_bytes,
            }
            for instance in sizes.largest
        ],
    }


def _statuses(given: Json) -> frozenset[Status]:
    if given is None:
        return TERMINAL
    allowed = {status.value: status for status in TERMINAL}
    wanted = []
    for name in given if isinstance(given, list) else [given]:
        if not isinstance(name, str) or name not in allowed:
            expected = ", ".join(sorted(allowed))
            raise bad(
                f"'status' has {name!r}; expected some of: {expected}. Others are never pruned."
            )
        wanted.append(allowed[name])
    if not wanted:
        raise bad("'status' is empty; leave it out to prune all that have ended.")
    return frozenset(wanted)


def _flag(body: dict[str, Json], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise bad(f"'{name}' is {value!r}; expected true or false.")
    return value


def journal_routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    journal = JournalRoutes(worker)
    return [
        Route(f"{OWN_BASE}/journal", endpoint(journal.show), methods=["GET"]),
        Route(f"{OWN_BASE}/journal/prune", endpoint(journal.prune), methods=["POST"]),
    ]
