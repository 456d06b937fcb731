"""The routes about instances that only Groundfog has, under `/cdn-cgi/groundfog`.

Answers and errors have the same envelope as Cloudflare's. Only POST changes anything.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.routing import Route

from emulator.answers.workflows import Comparison, ForkedInstance, SkippedWait
from emulator.engine.forking import fork
from emulator.engine.model.plain import iso
from emulator.engine.views import export, report
from emulator.engine.views.comparison import differences
from emulator.errors import WorkerError
from emulator.protocol import values
from emulator.server.api.bodies import object_body
from emulator.server.api.envelope import INTERNAL, OWN_BASE, Answer, ApiError, endpoint
from emulator.server.api.parameters import bad
from emulator.server.api.workflows.dialects import V4
from emulator.server.api.workflows.durable import durable
from emulator.server.api.workflows.resource import Resource
from emulator.worker import Worker


class Own:
    """Handlers of these routes."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def skip(self, request: Request) -> Answer:
        """POST …/skip: `{"step"?: "rest-1"}`. Ends a sleep, wait or retry delay of an instance."""
        resource = Resource.of(self._worker, V4, request)
        label = (await object_body(request)).get("step")
        if label is not None and not isinstance(label, str):
            raise bad("'step' must be a step's name with its count, such as rest-1.")
        instance_id = request.path_params["instance"]
        try:
            skipped = await self._worker.control.skip(resource.workflow.name, instance_id, label)
        except WorkerError as error:
            raise V4.refused(error, instance_id) from error
        told: SkippedWait = {
            "name": skipped.name,
            "type": skipped.type,
            "due": iso(skipped.due_ms),
        }
        return Answer(told)

    async def fork(self, request: Request) -> Answer:
        """POST …/fork: `{"from": {"name", "count"?, "type"?}, "id"?, "params"?, "output"?}`.

        Creates an instance that shares what this one had done before a step.
        """
        resource = Resource.of(self._worker, V4, request)
        instance_id = request.path_params["instance"]
        body = await object_body(request)
        new_id = body.get("id")
        if new_id is not None and not isinstance(new_id, str):
            raise bad("'id' must be the id of the new instance.")
        given = {name: values.encode(body[name]) for name in ("params", "output") if name in body}
        name = resource.workflow.name
        try:
            forked = await fork(
                self._worker.engine, name, instance_id, body.get("from"), new_id=new_id, **given
            )
        except WorkerError as error:
            raise V4.refused(error, instance_id) from error
        told: ForkedInstance = {"id": forked}
        return Answer(told)

    async def compare(self, request: Request) -> Answer:
        """GET …/diff?with=ID: what is different in two instances of a workflow."""
        resource = Resource.of(self._worker, V4, request)
        other = request.query_params.get("with")
        if other is None:
            raise bad("'with' is missing; expected the id of another instance.")
        both = resource.summary(request), resource.instance(other)
        journal = self._worker.engine.journal
        one, two = (
            report.instance_detail(journal.entries(each.key), each.status, "") for each in both
        )
        told: Comparison = {"differences": differences(one, two)}
        return Answer(told)

    async def export(self, request: Request) -> Answer:
        """GET …/export: the history of an instance, as a document for `check`."""
        resource = Resource.of(self._worker, V4, request)
        summary = resource.summary(request)
        instance = self._worker.engine.roster.instance(summary.key)
        entries = self._worker.engine.journal.entries(summary.key)
        try:
            return Answer(export.export(instance, entries))
        except ValueError as error:
            text = f"A recorded value of {summary.id} is damaged: {error}"
            raise ApiError(500, INTERNAL, text) from error


def own_routes(worker: Worker) -> list[Route]:
    """Return these routes, for `create_app`."""
    own = Own(worker)
    instance = f"{OWN_BASE}/workflows/{{workflow}}/instances/{{instance:path}}"
    return [
        Route(f"{instance}/skip", endpoint(own.skip), methods=["POST"]),
        Route(f"{instance}/fork", endpoint(own.fork), methods=["POST"]),
        Route(f"{instance}/diff", endpoint(durable(worker, own.compare)), methods=["GET"]),
        Route(f"{instance}/export", endpoint(durable(worker, own.export)), methods=["GET"]),
    ]
