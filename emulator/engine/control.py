"""What users ask of workflow instances: create, pause, resume, terminate, restart, send events.

Every operation returns once what it did is durable. Errors are the platform's own (`WorkerError`).
The workflow binding, and later REST and the command line, are thin layers over this one.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from emulator.engine import lifecycle
from emulator.engine.engine import Engine
from emulator.engine.lifecycle import Verdict
from emulator.engine.model import Instance, Status
from emulator.engine.steps import EVENT_TYPE_MAX_CHARS, VALUE_MAX_BYTES
from emulator.errors import StateError, WorkerError
from emulator.protocol import values

Json = Any

INSTANCE_ID_MAX_CHARS = 100  # workers-sdk workflows-shared/src/lib/validators.ts
BATCH_MAX = 100  # docs "Limits": createBatch
_INSTANCE_ID = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9\-_]*")


class Control:
    """Operations on the instances of all workflows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._journal = engine.journal
        self._clock = engine.clock

    async def create(self, workflow: str, instance_id: str | None, params: bytes | None) -> str:
        """Create an instance and return its id; it starts on its own. `params`: tagged JSON.

        Raises WorkerError for a bad or used id, or params over 1 MiB.
        """
        created = self._create(workflow, instance_id, params)
        await self._recorded()
        return created

    async def create_batch(
        self, workflow: str, items: list[tuple[str | None, bytes | None]]
    ) -> list[str]:
        """Create up to 100 instances and return the ids made; ids in use are left out.

        Nothing is created when any item is wrong. Source: workflows.md section 17.
        """
        if not items:
            raise WorkerError("WorkflowError: batchCreate should have at least 1 instance")
        if len(items) > BATCH_MAX:
            raise WorkerError(
                f"WorkflowError: batchCreate only supports {BATCH_MAX} instances at a time"
            )
        for instance_id, params in items:
            _check_new(instance_id, params)
        created = [
            self._create(workflow, instance_id, params)
            for instance_id, params in items
            if instance_id is None or self._journal.find(workflow, instance_id) is None
        ]
        await self._recorded()
        return created

    def _create(self, workflow: str, instance_id: str | None, params: bytes | None) -> str:
        _check_new(instance_id, params)
        if instance_id is None:
            instance_id = str(uuid.uuid4())
        elif self._journal.find(workflow, instance_id) is not None:
            raise WorkerError(
                "(instance.already_exists) Instance already exists", name="WorkflowError"
            )
        now_ms = self._clock.now_ms()
        key = self._journal.new_instance(workflow, instance_id, now_ms)
        self._engine.admit(
            Instance(key, workflow, instance_id), lifecycle.queued(key, now_ms, params or b"{}")
        )
        return instance_id

    def check_exists(self, workflow: str, instance_id: str) -> None:
        """Raise production's error when there is no such instance. Source: workflows.md 9.3."""
        if self._journal.find(workflow, instance_id) is None:
            raise WorkerError("instance.not_found")

    def status(self, workflow: str, instance_id: str) -> dict[str, Json]:
        """Return `{"status", "output", "error"?}` with values decoded. Source: workflows.md 2.10.

        Differs: the official local engine passes outputs through JSON, which damages Dates.
        """
        instance = self._find(workflow, instance_id)
        status: dict[str, Json] = {"status": instance.status.value, "output": None}
        if instance.status is Status.COMPLETE:
            status["output"] = values.decode(instance.output)
        if instance.status is Status.ERRORED and instance.error is not None:
            status["error"] = instance.error.as_json()
        return status

    async def pause(self, workflow: str, instance_id: str) -> None:
        """Pause; attempts in flight end first."""
        instance = self._find(workflow, instance_id)
        executing = self._engine.is_executing(instance)
        await self._obey(instance, lifecycle.pause(instance, executing, self._clock.now_ms()))

    async def resume(self, workflow: str, instance_id: str) -> None:
        """Resume; what was left of sleeps and timeouts when it was paused is still left."""
        instance = self._find(workflow, instance_id)
        self._engine.obey(instance, lifecycle.resume(instance, self._clock.now_ms()))
        self._engine.deliver_events(instance)
        await self._recorded()

    async def terminate(self, workflow: str, instance_id: str) -> None:
        """End it now. Raises WorkerError when it has ended already."""
        instance = self._find(workflow, instance_id)
        await self._obey(instance, lifecycle.terminate(instance, self._clock.now_ms()))

    async def restart(self, workflow: str, instance_id: str) -> None:
        """Start it over with its original params, forgetting everything it did."""
        instance = self._find(workflow, instance_id)
        await self._obey(instance, lifecycle.restart(instance, self._clock.now_ms()))

    async def send_event(
        self, workflow: str, instance_id: str, event_type: str, payload: bytes
    ) -> None:
        """Deliver an event to the step that waits for its type, or keep it for the next one."""
        instance = self._find(workflow, instance_id)
        if not _INSTANCE_ID.fullmatch(event_type) or len(event_type) > EVENT_TYPE_MAX_CHARS:
            raise WorkerError(
                f'(workflow.invalid_event_type) Event type "{event_type}" is invalid: expected 1 to'
                f" {EVENT_TYPE_MAX_CHARS} letters, digits, hyphens and underscores",
                name="WorkflowError",
            )
        _check_size("Event payload", payload)
        verdict = lifecycle.send_event(instance, event_type, payload, self._clock.now_ms())
        self._engine.obey(instance, verdict)
        self._engine.deliver_events(instance)
        await self._recorded()

    async def _recorded(self) -> None:
        """Return once everything above is durable; say so when it cannot be."""
        try:
            await self._journal.committed()
        except StateError as error:
            raise WorkerError(str(error), name="WorkflowInternalError") from error

    def _find(self, workflow: str, instance_id: str) -> Instance:
        key = self._journal.find(workflow, instance_id)
        if key is None:
            raise WorkerError("(instance.not_found) Instance does not exist", name="WorkflowError")
        return self._engine.instance(key)

    async def _obey(self, instance: Instance, verdict: Verdict) -> None:
        self._engine.obey(instance, verdict)
        await self._recorded()


def _check_new(instance_id: str | None, params: bytes | None) -> None:
    if instance_id is not None and (
        not isinstance(instance_id, str)
        or len(instance_id) > INSTANCE_ID_MAX_CHARS
        or not _INSTANCE_ID.fullmatch(instance_id)
    ):
        raise WorkerError("Workflow instance has invalid id", name="WorkflowError")
    _check_size("Workflow params", params or b"")


def _check_size(what: str, value: bytes) -> None:
    if len(value) > VALUE_MAX_BYTES:
        raise WorkerError(
            f"{what} of {len(value):,} bytes are too large. Maximum allowed size is 1MiB.",
            name="WorkflowError",
        )
