"""The routes that change nothing: workflows, versions, lists of instances, details, steps.

Lists come from `engine/journal/lists.py`, details from `engine/views/report.py`. This module reads
the requests.
Source: docs/platform/workflows-rest.md, "REST" and "The local explorer".
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from emulator.answers.workflows import Version
from emulator.engine.guard import held
from emulator.engine.journal import lists
from emulator.engine.journal.lists import Filter, Slice
from emulator.engine.model.instance import TERMINAL, Status
from emulator.engine.model.plain import StreamText, iso
from emulator.engine.model.step_key import StepKind
from emulator.engine.runs import streams
from emulator.engine.views import report
from emulator.kinds.workflow import Workflow
from emulator.protocol.values import StreamValue
from emulator.server.api.envelope import INTERNAL, Answer, ApiError
from emulator.server.api.pages import Page
from emulator.server.api.parameters import bad, choice, instant_ms, whole_number
from emulator.server.api.workflows.dialects import INVALID_DATE_RANGE, Dialect
from emulator.server.api.workflows.resource import Resource
from emulator.worker import Worker

_NO_GRAPH = (
    "Groundfog does not derive a graph from the source. The steps that an instance ran are at"
    " GET …/instances/{id}."
)
CURSOR_MAX_DIGITS = 18  # of a key, which has 64 bits in SQLite


class Reads:
    """Handlers of one base of the API."""

    def __init__(self, worker: Worker, dialect: Dialect) -> None:
        self._worker = worker
        self._dialect = dialect

    def _resource(self, request: Request) -> Resource:
        return Resource.of(self._worker, self._dialect, request)

    async def list_workflows(self, request: Request) -> Answer:
        """GET /workflows: a page of them; `search` is a part of the name."""
        search = request.query_params.get("search", "")
        matching = [
            Resource(self._worker, self._dialect, bound.record)
            for bound in self._worker.config.bound(Workflow)
            if search in bound.record.name
        ]
        page = Page.of(request)
        shown = page.of_list(matching)
        info = page.info(len(shown), len(matching))
        return Answer([resource.counted() for resource in shown], info)

    async def get_workflow(self, request: Request) -> Answer:
        """GET /workflows/{workflow}."""
        return Answer(self._resource(request).counted())

    async def list_versions(self, request: Request) -> Answer:
        """GET …/versions: one for each version of the code, the newest first."""
        page = Page.of(request)
        versions = self._resource(request).versions()[::-1]
        shown = page.of_list(versions)
        return Answer(shown, page.info(len(shown), len(versions)))

    async def get_version(self, request: Request) -> Answer:
        """GET …/versions/{version}."""
        return Answer(self._version(request))

    async def get_graph(self, request: Request) -> Answer:
        """GET …/versions/{version}/graph, …/dag: always null, with the reason."""
        version = self._version(request)
        answer = {
            "id": version["id"],
            "class_name": version["class_name"],
            "created_on": version["created_on"],
            "modified_on": version["modified_on"],
            "workflow_id": version["workflow_id"],
            request.url.path.rpartition("/")[2]: None,
        }
        return Answer(answer, notes=(_NO_GRAPH,))

    def _version(self, request: Request) -> Version:
        for version in self._resource(request).versions():
            if version["id"] == request.path_params["version"]:
                return version
        raise ApiError(404, INTERNAL, "workflows.api.error.version.not_found")

    async def list_instances(self, request: Request) -> Answer:
        """GET …/instances: newest first, by page or by cursor."""
        resource = self._resource(request)
        wanted = _filter(request, resource.workflow.name)
        page = Page.of(request)
        window = _window(request, page)
        journal = self._worker.engine.journal
        found = lists.page(journal, wanted, window)
        info = page.info(len(found), lists.count(journal, wanted))
        if len(found) == page.size:
            info["cursor"] = str(found[-1].key)
        info["status_counts"] = resource.counts()
        return Answer([resource.shown(instance) for instance in found], info)

    async def get_instance(self, request: Request) -> Answer:
        """GET …/instances/{instance}: all its details; `simple` leaves out the steps."""
        resource = self._resource(request)
        simple = choice(request, "simple", ("true", "false"))
        order = choice(request, "order", ("asc", "desc"))
        instance = resource.summary(request)
        journal = self._worker.engine.journal
        with journal.reading(instance.key):
            detail = report.instance_detail(
                journal.entries(instance.key),
                instance.status,
                resource.version_id(instance.generation),
                self._dialect.show_output,
            )
        if instance.status not in TERMINAL:
            going = self._worker.engine.roster.instance(instance.key)
            report.tell_due_times(detail, going)
            if going.is_held:
                found, language = held.divergence_of(going).findings, self._worker.config.language
                sentences = [held.sentence(finding, language) for finding in found]
                detail["held"] = {"found": sentences}
        if simple == "true":
            detail["steps"] = []
        elif order == "desc":
            detail["steps"].reverse()
        # For clients that draw instances in progress: the clock may be virtual.
        return Answer(detail, {"now": iso(self._worker.engine.clock.now_ms())})

    async def get_step(self, request: Request) -> Answer | Response:
        """GET …/instances/{instance}/step: a step with its whole output, or its stream's bytes."""
        resource = self._resource(request)
        name = request.query_params.get("name")
        if name is None:
            raise bad("'name' is missing; expected a step's name with its count, such as charge-1.")
        kind = choice(request, "type", ("step", "waitForEvent"))
        if kind is None:
            raise bad("'type' is missing; expected one of: step, waitForEvent.")
        attempt = whole_number(request, "attempt", 0) or None
        instance = resource.summary(request)
        journal = self._worker.engine.journal
        with journal.reading(instance.key):
            step = report.step_detail(
                journal.entries(instance.key),
                instance.status,
                name,
                StepKind.DO if kind == "step" else StepKind.WAIT,
                attempt,
            )
        if step is None:
            journal.load(instance.key)  # raises if the history is damaged
            raise ApiError(404, INTERNAL, f"Step '{name}' not found in execution history")
        if isinstance(step["output"], StreamText):
            return self._streamed(instance.key, step["output"].stream, name)
        return Answer(step)

    def _streamed(self, key: int, stream: StreamValue, step: str) -> Response:
        """Return the bytes of a stream that a step returned."""
        journal = self._worker.engine.journal
        if streams.damage(journal, key, stream, step):
            raise ApiError(500, INTERNAL, streams.CORRUPT)

        async def pieces() -> AsyncIterator[bytes]:
            for position in range(stream.chunks):
                chunk = journal.chunks.chunk(key, stream.id, position)
                if chunk is None:  # deleted in between; the reader finds the body too short
                    return
                yield chunk

        headers = {"content-length": str(stream.size)}
        return StreamingResponse(pieces(), headers=headers, media_type="application/octet-stream")


def _filter(request: Request, workflow: str) -> Filter:
    status = choice(request, "status", list(Status))
    start, end = instant_ms(request, "date_start"), instant_ms(request, "date_end")
    if start is not None and end is not None and start > end:
        raise ApiError(400, INVALID_DATE_RANGE, "'date_start' must not be after 'date_end'.")
    return Filter(workflow, status, start, end)


def _window(request: Request, page: Page) -> Slice:
    """Return the requested part of the list; with a cursor, pages are not counted."""
    ascending = choice(request, "direction", ("asc", "desc")) == "asc"
    cursor = request.query_params.get("cursor")
    if not cursor:
        return Slice(page.size, page.offset, None, ascending)
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= CURSOR_MAX_DIGITS):
        raise bad(f"'cursor' is '{cursor}'; expected one from a result_info.")
    return Slice(page.size, 0, int(cursor), ascending)
