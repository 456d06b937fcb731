"""The routes that create, control and delete instances. Each answers once its work is durable.

Source: docs/platform/workflows-rest.md, "REST" and "The local explorer".
"""

from __future__ import annotations

from itertools import islice

from msgspec import Struct
from starlette.requests import Request

from emulator.answers.creation import NewInstance
from emulator.answers.workflows import CreatedInstance, DeployedWorkflow, StatusChange
from emulator.engine.decide.checks import BATCH_MAX
from emulator.engine.decide.restarts import parse_restart_point
from emulator.engine.journal import lists
from emulator.engine.journal.lists import Filter, Slice
from emulator.engine.model.instance_entries import RestartPoint
from emulator.engine.model.plain import iso
from emulator.errors import WorkerError
from emulator.json_types import Json
from emulator.protocol import values
from emulator.server.api.bodies import (
    BATCH_MAX_BYTES,
    VALUE_MAX_BYTES,
    as_object,
    body_bytes,
    json_body,
    object_body,
    read_apart,
    read_items,
    read_json,
)
from emulator.server.api.envelope import Answer
from emulator.server.api.parameters import bad, retention_ms
from emulator.server.api.workflows.dialects import Dialect
from emulator.server.api.workflows.resource import Resource
from emulator.server.api.workflows.terminator import Terminator
from emulator.worker import Worker

ACTIONS = ("pause", "resume", "restart", "terminate")
_NOT_A_RENAMING = '\'rename\' must be old names with their new ones: {"old": "new"}.'


class Changes:
    """Handlers of one base of the API."""

    def __init__(self, worker: Worker, dialect: Dialect, terminator: Terminator) -> None:
        self._worker = worker
        self._terminator = terminator
        self._control = worker.control
        self._dialect = dialect

    def _resource(self, request: Request) -> Resource:
        return Resource.of(self._worker, self._dialect, request)

    async def create(self, request: Request) -> Answer:
        """POST …/instances: `{"instance_id"?, "params"?}`; the explorer says `id`."""
        resource = self._resource(request)
        body = await body_bytes(request, VALUE_MAX_BYTES)
        new = await read_apart(body, self._read_new)
        try:
            created = await self._control.create(
                resource.workflow.name, new.id, new.params, source="api", retention=new.retention
            )
        except WorkerError as error:
            raise self._dialect.refused(error) from error
        return Answer(_created(resource, created))

    async def create_batch(self, request: Request) -> Answer:
        """POST …/instances/batch: a list of up to 100. The answer leaves out ids in use."""
        resource = self._resource(request)
        body = await body_bytes(request, BATCH_MAX_BYTES)
        items = await read_apart(body, self._read_batch)
        try:
            created = await self._control.create_batch(resource.workflow.name, items, source="api")
        except WorkerError as error:
            raise self._dialect.refused(error) from error
        return Answer([_created(resource, instance_id) for instance_id in created])

    async def terminate_batch(self, request: Request) -> Answer:
        """POST …/instances/batch/terminate: up to 100 ids. One that has ended is not an error."""
        resource = self._resource(request)
        terminated = 0
        for instance_id in dict.fromkeys(_ids(await json_body(request))):
            try:
                await self._control.terminate(resource.workflow.name, instance_id)
                terminated += 1
            except WorkerError as error:
                if error.name == "WorkflowInternalError":
                    raise self._dialect.refused(error) from error
        return Answer({"instancesTerminated": terminated, "status": "ok"})

    async def delete_batch(self, request: Request) -> Answer:
        """POST …/instances/batch/delete: `{"instances": [ids]}`. The answer has each id."""
        resource = self._resource(request)
        instances: Json = (await object_body(request)).get("instances")
        try:
            return Answer(await self._control.delete_batch(resource.workflow.name, instances))
        except WorkerError as error:
            raise self._dialect.refused(error) from error

    async def put_workflow(self, request: Request) -> Answer:
        """PUT /workflows/{workflow}: what a deployment does. Here it changes nothing.

        Raises ApiError when it differs from the configuration, which is the only authority here.
        """
        resource = self._resource(request)
        body = await object_body(request)
        now = resource.named()
        configured = {"class_name": now["class_name"], "script_name": now["script_name"]}
        for field in configured:
            if field not in body:
                raise bad(f"(body) '{field}' is missing.")
        for field, value in body.items():
            if field not in configured:
                raise bad(f"(body) '{field}' is set in the worker's configuration file here.")
            if value != configured[field]:
                raise bad(
                    f"(body) '{field}' is {value!r}, but the configuration says"
                    f" {configured[field]!r}."
                    " Change it in the worker's configuration file; it takes effect on save."
                )
        deployed: DeployedWorkflow = {
            **now,
            "is_deleted": 0,
            "terminator_running": int(self._terminator.runs(resource)),
            "version_id": resource.version_id(),
        }
        return Answer(deployed)

    async def delete_workflow(self, request: Request) -> Answer:
        """DELETE /workflows/{workflow}: deletes its instances; the workflow stays configured."""
        resource = self._resource(request)
        name = resource.workflow.name
        everything = Filter(name)
        while found := lists.page(self._worker.engine.journal, everything, Slice(BATCH_MAX)):
            result = await self._control.delete_batch(name, [instance.id for instance in found])
            if result["errors"]:
                raise self._dialect.refused(_internal(result["errors"][0]["message"]))
        return Answer({"status": "ok", "success": True})

    async def delete(self, request: Request) -> Answer:
        """DELETE …/instances/{instance}."""
        resource = self._resource(request)
        instance_id = request.path_params["instance"]
        try:
            await self._control.delete(resource.workflow.name, instance_id)
        except WorkerError as error:
            raise self._dialect.refused(error, instance_id) from error
        return Answer(self._acknowledgement(instance_id))

    async def change_status(self, request: Request) -> Answer:
        """PATCH …/status: `{"status": "pause" | …}`, or `action`, as older tools send.

        Raises ApiError for an unknown action, and when the engine refuses.
        """
        resource = self._resource(request)
        body = await object_body(request)
        action = body.get("status", body.get("action"))
        if action not in ACTIONS:
            expected = ", ".join(ACTIONS)
            raise bad(f"Invalid action '{action}'. Must be one of: {expected}.")
        rollback, start = body.get("rollback"), body.get("from")
        if rollback is not None and action != "terminate":
            raise bad("'rollback' is only valid when terminating.")
        if rollback is not None and not isinstance(rollback, bool):
            raise bad(f"'rollback' is {rollback!r}; expected true or false.")
        if start is not None and action != "restart":
            raise bad("'from' is only valid when restarting.")
        choice = _Choice.of(body, action)
        instance_id = request.path_params["instance"]
        try:
            point = _restart_point(start)
            if choice is not None:
                resumed = await self._control.resume_held(
                    resource.workflow.name, instance_id, choice.renames, choice.all_alike
                )
                now = resource.instance(instance_id)
                shown: StatusChange = {
                    "status": now.status.value,
                    "timestamp": self._now(),
                    "resumed": resumed,
                }
                return Answer(shown)
            await self._act(resource.workflow.name, instance_id, action, point, rollback)
        except WorkerError as error:
            raise self._dialect.refused(error, instance_id) from error
        if "status" not in body:
            return Answer({"success": True})
        now = resource.instance(instance_id)
        changed: StatusChange = {"status": now.status.value, "timestamp": self._now()}
        return Answer(changed)

    async def send_event(self, request: Request) -> Answer:
        """POST …/events/{type}: the body is the payload; it may be empty."""
        resource = self._resource(request)
        body = await body_bytes(request, VALUE_MAX_BYTES)
        payload = await read_apart(body, lambda body: values.encode(read_json(body)))
        instance_id = request.path_params["instance"]
        event_type = request.path_params["event_type"]
        name = resource.workflow.name
        try:
            await self._control.send_event(name, instance_id, event_type, payload)
        except WorkerError as error:
            raise self._dialect.refused(error, instance_id) from error
        return Answer(self._acknowledgement(instance_id))

    def _read_new(self, body: bytes) -> NewInstance:
        return self._new(as_object(read_json(body)))

    def _read_batch(self, body: bytes) -> list[NewInstance]:
        """Return the instances to create: at most one more than allowed, if there are too many."""
        items = []
        for item in islice(read_items(body), BATCH_MAX + 1):
            if not isinstance(item, dict):
                raise bad("(body) Provided argument is invalid")
            items.append(self._new(item))
        return items

    def _new(self, body: dict[str, Json]) -> NewInstance:
        """Return the instance to create; the engine checks its id."""
        given: str | None = None
        for field in ("id", "instance_id"):
            if field in body:
                value = body[field]
                if not isinstance(value, str):
                    raise bad("(instance.invalid_id) Instance has invalid id")
                given = value
        kept = retention_ms(body.get("instance_retention"), "instance_retention")
        params = body.get("params")
        if params is None:
            return NewInstance(given, None, kept)
        return NewInstance(given, values.encode(self._dialect.read_params(params)), kept)

    async def _act(
        self,
        workflow: str,
        instance_id: str,
        action: str,
        start: RestartPoint | None,
        rollback: Json,
    ) -> None:
        match action:
            case "pause":
                await self._control.pause(workflow, instance_id)
            case "resume":
                await self._control.resume(workflow, instance_id)
            case "terminate":
                await self._control.terminate(workflow, instance_id, rollback is True)
            case "restart":
                await self._control.restart(workflow, instance_id, start)

    def _acknowledgement(self, instance_id: str) -> dict[str, Json]:
        if self._dialect.acknowledges:
            return {"success": True}
        return {"instanceId": instance_id, "timestamp": self._now()}

    def _now(self) -> str:
        return iso(self._worker.engine.clock.now_ms())


class _Choice(Struct, frozen=True):
    """How a held instance should go on; `renames` None accepts the code."""

    renames: dict[str, str] | None
    all_alike: bool

    @classmethod
    def of(cls, body: dict[str, Json], action: str) -> _Choice | None:
        """Return the choice in a body, or None. Raises ApiError."""
        given = [field for field in ("accept", "rename", "all") if field in body]
        if not given:
            return None
        if action != "resume":
            raise bad(f"'{given[0]}' is only valid when resuming.")
        accept, all_alike = body.get("accept"), body.get("all", False)
        for field, flag in (("accept", accept), ("all", all_alike)):
            if flag is not None and not isinstance(flag, bool):
                raise bad(f"'{field}' is {flag!r}; expected true or false.")
        renames = _renames(body.get("rename"))
        if bool(accept) == bool(renames):
            raise bad("Resume with 'accept' or with 'rename', not with both.")
        return cls(renames or None, bool(all_alike))


def _renames(given: Json) -> dict[str, str]:
    renames = {}
    if given is not None and not isinstance(given, dict):
        raise bad(_NOT_A_RENAMING)
    for old, new in (given or {}).items():
        if not isinstance(new, str):
            raise bad(_NOT_A_RENAMING)
        renames[old] = new
    return renames


def _created(resource: Resource, instance_id: str) -> CreatedInstance:
    shown = resource.shown(resource.instance(instance_id))
    return {
        "id": shown["id"],
        "status": shown["status"],
        "version_id": shown["version_id"],
        "workflow_id": shown["workflow_id"],
        "trigger_source": shown["trigger_source"],
    }


def _ids(body: Json) -> list[str]:
    if not isinstance(body, list):
        raise bad("(body) Provided argument is invalid")
    ids = [item for item in body if isinstance(item, str)]
    if len(ids) != len(body):
        raise bad("(body) Provided argument is invalid")
    if not 1 <= len(ids) <= BATCH_MAX:
        raise bad(f"(body) has {len(ids)} ids; expected 1 to {BATCH_MAX}")
    return ids


def _restart_point(start: Json) -> RestartPoint | None:
    if start is None:
        return None
    if not isinstance(start, dict) or not start.get("name"):
        raise bad("'from.name' is required when restarting from a specific step.")
    return parse_restart_point(start)


def _internal(message: str) -> WorkerError:
    return WorkerError(message, name="WorkflowInternalError")
