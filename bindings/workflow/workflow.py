"""The workflow binding: `env.MY_WORKFLOW`.

It reaches the engine by the `Executor` protocol declared here. Params, payloads and outputs are
tagged JSON there; the caller's `encode` makes it.
Source: docs/platform/workflows.md, "The binding" and "Batches".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from bindings.binding import ByteStream, Value
from bindings.workflow.batches import creations, retention_of
from emulator.answers.creation import NewInstance
from emulator.errors import WorkerError

# Enough for one value of 1 MiB as base64, and for the fields beside it.
ARGUMENTS_MAX_BYTES = 2 * 1024 * 1024


class Executor(Protocol):
    """What the binding needs of the engine; each method raises WorkerError as production does."""

    async def create(
        self,
        workflow: str,
        instance_id: str | None,
        params: bytes | None,
        *,
        retention: dict[str, int] | None = None,
    ) -> str: ...
    async def create_batch(self, workflow: str, items: list[NewInstance]) -> list[str]: ...
    async def create_many(self, workflow: str, items: list[NewInstance]) -> Mapping[str, Value]: ...
    def check_exists(self, workflow: str, instance_id: str) -> None: ...
    def status(self, workflow: str, instance_id: str) -> Mapping[str, Value]: ...
    async def pause(self, workflow: str, instance_id: str) -> None: ...
    async def resume(self, workflow: str, instance_id: str) -> None: ...
    async def terminate(self, workflow: str, instance_id: str, rollback: bool = False) -> None: ...
    async def restart(self, workflow: str, instance_id: str) -> None: ...
    async def restart_from(self, workflow: str, instance_id: str, start: Value) -> None: ...
    async def delete(self, workflow: str, instance_id: str) -> None: ...
    async def delete_batch(self, workflow: str, ids: Value) -> Mapping[str, Value]: ...
    async def send_event(
        self, workflow: str, instance_id: str, event_type: str, payload: bytes
    ) -> None: ...
    def events(self, workflow: str, instance_id: str, options: object) -> AsyncIterator[bytes]: ...


class WorkflowBinding:
    """One workflow, by name. It has the methods of the JavaScript binding and of its instances."""

    kind = "workflow"
    keeps_typed_arrays = True
    arguments_max_bytes = {"create": ARGUMENTS_MAX_BYTES, "sendEvent": ARGUMENTS_MAX_BYTES}

    def __init__(
        self,
        workflow: str,
        executor: Executor,
        encode: Callable[[Any], bytes],
        decode: Callable[[bytes], Any],
    ) -> None:
        self._workflow = workflow
        self._executor = executor
        self.encode = encode
        self.decode = decode

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run a method; an instance of JavaScript is a record `{"id": …}` here.

        `createBatch` of an array returns a list of them; of an object, `{"created": […],
        "errors": […]}`. `deleteBatch` returns `{"deleted": […], "errors": […]}`, and `subscribe`
        a line of bytes for each event.
        """
        first = args[0] if args else None
        match method:
            case "create":
                new = self._new(first)
                created = await self._executor.create(
                    self._workflow, new.id, new.params, retention=new.retention
                )
                return {"id": created}
            case "createBatch":
                return await self._create_batch(first)
            case "get":
                self._executor.check_exists(self._workflow, self._id(first))
                return {"id": first}
            case "status":
                return self._executor.status(self._workflow, self._id(first))
            case "deleteBatch":
                return await self._executor.delete_batch(self._workflow, first)
            case "terminate":
                rollback = _rollback_of(args[1:])
                await self._executor.terminate(self._workflow, self._id(first), rollback)
                return None
            case "pause" | "resume" | "delete":
                await getattr(self._executor, method)(self._workflow, self._id(first))
                return None
            case "restart":
                return await self._restart(self._id(first), args[1:])
            case "subscribe":
                given = args[1] if len(args) > 1 else None
                events = self._executor.events(self._workflow, self._id(first), given)
                return ByteStream(_lines(events), "application/x-ndjson")
            case "sendEvent":
                return await self._send_event(self._id(first), args[1:])
        raise WorkerError(f"{method} is not a method of a Workflow", name="TypeError")

    async def close(self) -> None:
        """Nothing to release: instances belong to the engine."""

    async def _create_batch(self, given: Any) -> Value:
        if not isinstance(given, list):
            wanted = [self._new(options) for options in creations(given)]
            return await self._executor.create_many(self._workflow, wanted)
        batch = [self._new(item) for item in given]
        created = await self._executor.create_batch(self._workflow, batch)
        return [{"id": instance_id} for instance_id in created]

    async def _restart(self, instance_id: str, options: list[Any]) -> None:
        start = options[0].get("from") if options and isinstance(options[0], dict) else None
        if start is None:
            await self._executor.restart(self._workflow, instance_id)
        else:
            await self._executor.restart_from(self._workflow, instance_id, start)

    async def _send_event(self, instance_id: str, args: list[Any]) -> None:
        event = args[0] if args else None
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise WorkerError(
                'sendEvent expects {"type": string, "payload": value}', name="TypeError"
            )
        payload = self.encode(event.get("payload"))
        await self._executor.send_event(self._workflow, instance_id, event["type"], payload)

    def _new(self, options: Any) -> NewInstance:
        """Return the instance that create's options ask for; production refuses an id of null."""
        if options is None:
            return NewInstance()
        if not isinstance(options, dict):
            raise WorkerError("(body) Provided argument is invalid")
        if "id" in options and not isinstance(options["id"], str):
            raise WorkerError("(instance.invalid_id) Instance has invalid id")
        params = options.get("params")
        encoded = None if params is None else self.encode(params)
        return NewInstance(options.get("id"), encoded, retention_of(options))

    def _id(self, value: Any) -> str:
        if not isinstance(value, str):
            raise WorkerError("(instance.invalid_id) Instance ID is invalid")
        return value


async def _lines(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for event in events:
        yield event + b"\n"


def _rollback_of(options: list[Any]) -> bool:
    """Return `rollback` of terminate's options.

    Source: docs/platform/workflows.md, "The binding".
    """
    given = options[0] if options else None
    rollback = given.get("rollback") if isinstance(given, dict) else None
    if given is not None and not isinstance(given, dict) or not isinstance(rollback, bool | None):
        raise WorkerError('terminate expects {"rollback": boolean}', name="TypeError")
    return bool(rollback)
