"""What users ask of workflow instances: create, pause, resume, terminate, restart, delete, events.

Every operation returns when its changes are durable. Errors are the platform's own (`WorkerError`).
The workflow binding, REST and the command line are thin layers over this one.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from emulator.answers.creation import NewInstance
from emulator.engine.actions import Admit, Decision, Wake
from emulator.engine.creation_limits import Admission
from emulator.engine.decide import batches, checks, lifecycle, skips
from emulator.engine.decide.checks import BATCH_MAX as BATCH_MAX
from emulator.engine.decide.restarts import parse_restart_point, rewind
from emulator.engine.decide.skips import Skipped
from emulator.engine.engine import Engine
from emulator.engine.guard import held
from emulator.engine.model.instance import Instance, Status
from emulator.engine.model.instance_entries import RestartPoint, Schedule
from emulator.engine.schedules import Tick
from emulator.errors import StateError, WorkerError
from emulator.json_types import Json
from emulator.protocol import values

if TYPE_CHECKING:
    from emulator.answers.workflows import BatchCreation, BatchDeletion, InstanceStatus

_NOT_FOUND_TEXT = "(instance.not_found) Instance not found"


class Control:
    """Operations on the instances of all workflows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._journal = engine.journal
        self._clock = engine.clock
        self.admission = Admission()

    async def create(
        self,
        workflow: str,
        instance_id: str | None,
        params: bytes | None,
        source: str = "binding",
        retention: dict[str, int] | None = None,
    ) -> str:
        """Create an instance and return its id; it starts by itself. `params`: tagged JSON.

        source: what asked for it, `"binding"` or `"api"`.
        retention: `{"success"?, "error"?}`, for how many milliseconds it is kept after its end.

        Raises WorkerError for a bad or used id, or params over 1 MiB.
        """
        self._count(workflow)
        created = self._create(workflow, NewInstance(instance_id, params, retention), source)
        await self._recorded()
        return created

    async def create_batch(
        self,
        workflow: str,
        items: list[NewInstance],
        source: str = "binding",
    ) -> list[str]:
        """Create up to 100 instances and return the ids made; ids in use are left out.

        Nothing is created when any item is wrong. Source: docs/platform/workflows.md, "Batches".
        """
        if not items:
            raise WorkerError("WorkflowError: batchCreate should have at least 1 instance")
        if len(items) > BATCH_MAX:
            raise WorkerError(
                f"WorkflowError: batchCreate only supports {BATCH_MAX} instances at a time"
            )
        for item in items:
            checks.check_new(item.id, item.params)
        self._count(workflow, len(items))
        created = [
            self._create(workflow, item, source)
            for item in items
            if item.id is None or self._journal.find(workflow, item.id) is None
        ]
        await self._recorded()
        return created

    async def create_many(self, workflow: str, items: list[NewInstance]) -> BatchCreation:
        """Create instances and say what became of each: the object form of `createBatch`.

        Returns both lists in the order of `items`. Nothing is created when any item is wrong.
        Source: docs/platform/workflows.md, "Batches".
        """
        for item in items:
            checks.check_new_in_batch(item.id, item.params)
        self._count(workflow, len(items))
        answer: BatchCreation = {"created": [], "errors": []}
        seen: set[str] = set()
        for index, item in enumerate(items):
            instance_id = item.id
            if instance_id is None:
                answer["created"].append({"id": self._create(workflow, item)})
                continue
            problem = None
            if instance_id in seen:
                problem = batches.DUPLICATE_IN_BATCH
            elif self._journal.find(workflow, instance_id) is not None:
                problem = batches.ALREADY_EXISTS
            if problem is None:
                answer["created"].append({"id": self._create(workflow, item)})
            else:
                answer["errors"].append(batches.creation_error(problem, index, instance_id))
            seen.add(instance_id)
        await self._recorded()
        return answer

    def _create(self, workflow: str, item: NewInstance, source: str = "binding") -> str:
        instance_id, params, retention = item
        checks.check_new(instance_id, params)
        if instance_id is None:
            instance_id = str(uuid.uuid4())
        elif self._journal.find(workflow, instance_id) is not None:
            raise WorkerError("(instance.already_exists) Instance already exists")
        self._admit(workflow, instance_id, params, source, retention=retention)
        return instance_id

    def _count(self, workflow: str, count: int = 1) -> None:
        """Refuse creations and restarts that are too many."""
        self.admission.admit(workflow, count, self._engine.roster.queued, self._clock.now_ms())

    def _admit(
        self,
        workflow: str,
        instance_id: str,
        params: bytes | None,
        source: str,
        schedule: Schedule | None = None,
        retention: dict[str, int] | None = None,
    ) -> None:
        now_ms = self._clock.now_ms()
        key = self._journal.new_instance(workflow, instance_id, now_ms)
        instance = Instance(key, workflow, instance_id)
        first = lifecycle.queued(key, now_ms, params or b"{}", source, schedule, retention)
        self._engine.obey(instance, Decision(actions=[Admit(instance, first)]))

    def fire(self, tick: Tick) -> None:
        """Create the instance of a schedule's tick, unless it exists: it is durable soon after."""
        if self._journal.find(tick.workflow, tick.instance_id) is None:
            schedule = Schedule(tick.cron, tick.scheduled_ms)
            self._admit(tick.workflow, tick.instance_id, None, "cron", schedule)

    def check_exists(self, workflow: str, instance_id: str) -> None:
        """Raise production's error when there is no such instance."""
        self._key(workflow, instance_id)

    def events(self, workflow: str, instance_id: str, options: object) -> AsyncIterator[bytes]:
        """Return an instance's events for user code, encoded. Raises WorkerError."""
        from emulator.engine.views.subscription import encoded  # not needed at the start

        return encoded(self._journal, self._key(workflow, instance_id), instance_id, options)

    def status(self, workflow: str, instance_id: str) -> InstanceStatus:
        """Return the status of an instance with its output.

        While it rolls back it is `running` here. Source: docs/platform/workflows-answers.md,
        "`status()`".

        Differs: the official local engine passes outputs through JSON, which damages Dates.
        """
        instance = self._engine.roster.instance(self._key(workflow, instance_id), steps=False)
        rolling_back = instance.status is Status.ROLLING_BACK
        shown = Status.RUNNING if rolling_back else instance.status
        status: InstanceStatus = {
            "status": shown.value,
            "error": None,
            "output": None,
            "rollback": None,
        }
        if instance.status is Status.COMPLETE:
            try:
                status["output"] = values.decode(instance.output)
            except values.MalformedValue as damage:
                text = f"The recorded output of {instance_id} is damaged: {damage}"
                raise WorkerError(text, name="WorkflowInternalError") from damage
        if instance.status is Status.ERRORED and instance.error is not None:
            status["error"] = instance.error.as_json()
        if instance.rollback is not None and instance.rollback.outcome:
            error = instance.rollback.error
            status["rollback"] = {
                "outcome": instance.rollback.outcome,
                "error": None if error is None else error.as_json(),
            }
        return status

    async def pause(self, workflow: str, instance_id: str) -> None:
        """Pause; attempts in flight end first."""
        await self._engine.knows_all(self._find(workflow, instance_id))
        instance = self._find(workflow, instance_id)
        executing = self._engine.roster.is_executing(instance)
        await self._obey(instance, lifecycle.pause(instance, executing, self._clock.now_ms()))

    async def resume(self, workflow: str, instance_id: str) -> None:
        """Resume. Sleeps and timeouts have as much time left as when it was paused.

        Raises WorkerError when it is held because of changed code: then a user must say how.
        """
        instance = self._find(workflow, instance_id)
        held.refuse_plain_resume(instance, self._engine.roster.language_of(workflow))
        self._engine.obey(instance, lifecycle.resume(instance, self._clock.now_ms()))
        await self._recorded()

    async def resume_held(
        self,
        workflow: str,
        instance_id: str,
        renames: Mapping[str, str] | None,
        all_alike: bool = False,
    ) -> list[str]:
        """Let an instance go on that is held because of changed code; return the ids that go on.

        renames: old name -> new name of recorded steps; a step that is still missing holds it
        again. None accepts the code as it is. all_alike: also the others of the workflow that are
        held in the same way. Raises WorkerError when it is not held or a name is not recorded; then
        nothing is changed.
        """
        instance = self._find(workflow, instance_id)
        alike = [instance]
        if all_alike and instance.is_held:
            signature = held.divergence_of(instance).signature
            alike += [
                other
                for other in self._held(workflow)
                if other.key != instance.key and held.divergence_of(other).signature == signature
            ]
        now_ms = self._clock.now_ms()
        decisions = [
            held.accept(each, now_ms) if renames is None else held.rename(each, renames, now_ms)
            for each in alike
        ]
        for each, decision in zip(alike, decisions, strict=True):
            self._engine.obey(each, decision)
        await self._recorded()
        return [each.id for each in alike]

    def _held(self, workflow: str) -> list[Instance]:
        paused = [
            self._engine.roster.sound(row.key)
            for row in self._journal.unfinished()
            if row.workflow == workflow and row.status is Status.PAUSED
        ]
        return [instance for instance in paused if instance is not None and instance.is_held]

    async def terminate(self, workflow: str, instance_id: str, rollback: bool = False) -> None:
        """End it now, or after its rollback handlers. Raises WorkerError when it has ended already.

        Returns when that is recorded; a rollback then goes on by itself.
        """
        instance = self._find(workflow, instance_id)
        decision = lifecycle.terminate(instance, self._clock.now_ms(), rollback=rollback)
        await self._obey(instance, decision)

    async def restart(
        self, workflow: str, instance_id: str, start: RestartPoint | None = None
    ) -> None:
        """Start it again with its original params, from the beginning or from the step `start`.

        Raises WorkerError when no such step has started; then nothing is changed.
        """
        instance = self._find(workflow, instance_id)
        self._count(workflow)
        now_ms = self._clock.now_ms()
        if start is None:
            decision = lifecycle.restart(instance, now_ms)
        else:
            left = rewind(list(self._journal.numbered(instance.key)), start)
            decision = lifecycle.restart_from(instance, start, left, now_ms)
        await self._obey(instance, decision)

    async def restart_from(self, workflow: str, instance_id: str, start: Json) -> None:
        """Restart from `{"name", "count"?, "type"?}`, as users write it."""
        await self.restart(workflow, instance_id, parse_restart_point(start))

    async def delete(self, workflow: str, instance_id: str) -> None:
        """Stop and forget it, in any status; its id can be used again at once.

        Raises WorkerError for a bad id, and when there is no such instance.
        """
        checks.check_addressable(instance_id)
        self._engine.delete(self._key(workflow, instance_id))
        await self._recorded()

    async def delete_batch(self, workflow: str, ids: object) -> BatchDeletion:
        """Delete up to 100 instances, a list of ids, in one transaction.

        An id that is given twice is in the answer twice. Nothing is deleted when any id is wrong.
        Source: docs/platform/workflows.md, "Batches".
        """
        wanted = checks.check_deletions(ids)
        found = {instance_id: self._journal.find(workflow, instance_id) for instance_id in wanted}
        for key in found.values():
            if key is not None:
                self._engine.delete(key)
        try:
            await self._journal.committed()
        except StateError:  # the engine has reported why; nothing was deleted
            return batches.deletions(wanted, found, recorded=False)
        return batches.deletions(wanted, found, recorded=True)

    async def send_event(
        self, workflow: str, instance_id: str, event_type: str, payload: bytes
    ) -> None:
        """Deliver an event to the step that waits for its type, or keep it for the next one."""
        instance = self._find(workflow, instance_id)
        checks.check_event(event_type, payload)
        decision = lifecycle.send_event(instance, event_type, payload, self._clock.now_ms())
        self._engine.obey(instance, decision)
        await self._recorded()

    async def skip(self, workflow: str, instance_id: str, label: str | None = None) -> Skipped:
        """End the wait of an instance with the earliest deadline, or that of the step `label`.

        Returns what was skipped. Raises WorkerError when it is paused, has ended or does not wait.
        """
        instance = self._find(workflow, instance_id)
        entry, skipped = skips.skip(instance, label, self._clock.now_ms())
        self._engine.obey(instance, Decision([entry], [Wake(instance)]))
        await self._recorded()
        return skipped

    async def _recorded(self) -> None:
        """Return when everything recorded is durable. Raises WorkerError if it cannot be."""
        try:
            await self._journal.committed()
        except StateError as error:
            raise WorkerError(str(error), name="WorkflowInternalError") from error

    def _find(self, workflow: str, instance_id: str) -> Instance:
        return self._engine.roster.instance(self._key(workflow, instance_id))

    def _key(self, workflow: str, instance_id: str) -> int:
        if (key := self._journal.find(workflow, instance_id)) is None:
            raise WorkerError(_NOT_FOUND_TEXT)
        return key

    async def _obey(self, instance: Instance, decision: Decision) -> None:
        self._engine.obey(instance, decision)
        await self._recorded()
