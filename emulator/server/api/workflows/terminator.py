"""Terminates all instances of a workflow: one job per workflow at a time.

In production the job takes minutes; here it is done before the request is answered.
Source: docs/platform/workflows-rest.md, "REST".
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from emulator.engine.decide.checks import BATCH_MAX
from emulator.engine.journal import lists
from emulator.engine.journal.lists import Filter, Slice
from emulator.engine.model.instance import TERMINAL, Status
from emulator.errors import WorkerError
from emulator.server.api.envelope import Answer
from emulator.server.api.parameters import choice
from emulator.server.api.workflows.dialects import Dialect
from emulator.server.api.workflows.resource import Resource
from emulator.worker import Worker


class Terminator:
    """Knows the jobs in progress, of both bases of the API."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._running: set[str] = set()

    def runs(self, resource: Resource) -> bool:
        """Whether the instances of a workflow are being terminated."""
        return resource.workflow.name in self._running

    async def terminate_all(self, resource: Resource, statuses: list[Status]) -> None:
        """End every instance with one of these statuses, except those created during the job.

        Raises WorkerError, StateError.
        """
        workflow = resource.workflow.name
        self._running.add(workflow)
        try:
            newest = lists.page(self._worker.engine.journal, Filter(workflow), Slice(limit=1))
            # An instance may change from a later status to one that was done already.
            while newest and await self._pass(workflow, statuses, newest[0].key):
                pass
        finally:
            self._running.discard(workflow)

    async def _pass(self, workflow: str, statuses: list[Status], newest: int) -> bool:
        """Terminate the instances that are found; return whether there were any."""
        any_found = False
        for status in statuses:
            after = newest + 1
            wanted, journal = Filter(workflow, status.value), self._worker.engine.journal
            while found := lists.page(journal, wanted, Slice(BATCH_MAX, after=after)):
                any_found, after = True, found[-1].key
                await asyncio.gather(*(self._terminate(workflow, each.id) for each in found))
        return any_found

    async def _terminate(self, workflow: str, instance_id: str) -> None:
        try:
            await self._worker.control.terminate(workflow, instance_id)
        except WorkerError as error:
            if error.name == "WorkflowInternalError":
                raise  # not recorded; any other error means that the instance has ended by itself


class Terminations:
    """Handlers of one base of the API."""

    def __init__(self, worker: Worker, dialect: Dialect, terminator: Terminator) -> None:
        self._worker = worker
        self._dialect = dialect
        self._terminator = terminator

    async def start(self, request: Request) -> Answer:
        """PUT …/instances/terminate: all that have not ended, or those with a `status`."""
        resource = Resource.of(self._worker, self._dialect, request)
        unfinished = [status for status in Status if status not in TERMINAL]
        status = choice(request, "status", [status.value for status in unfinished])
        if self._terminator.runs(resource):
            return Answer({"status": "already_running"})
        statuses = unfinished if status is None else [Status(status)]
        try:
            await self._terminator.terminate_all(resource, statuses)
        except WorkerError as error:
            raise self._dialect.refused(error) from error
        return Answer({"status": "ok"})

    async def tell(self, request: Request) -> Answer:
        """GET …/instances/terminate: whether a job is in progress."""
        resource = Resource.of(self._worker, self._dialect, request)
        running = self._terminator.runs(resource)
        return Answer({"status": "running" if running else "not_running"})
