"""The workflow that a request names, and the workflow and its instances in answers.

Source: docs/platform/workflows-rest.md, "REST".
"""

from __future__ import annotations

import uuid

from msgspec import Struct
from starlette.requests import Request

from emulator.answers.workflows import (
    CountedWorkflow,
    ListedInstance,
    NamedWorkflow,
    Tick,
    Version,
)
from emulator.cron import Cron
from emulator.engine.journal import lists
from emulator.engine.journal.lists import Filter, Slice, Summary
from emulator.engine.model.plain import iso
from emulator.kinds.workflow import Workflow
from emulator.server.api.workflows.dialects import Dialect
from emulator.worker import Worker

_NAMESPACE = uuid.UUID("5f0c2f0e-6d2b-5c1c-8a53-7d2e0f6f1a10")  # ours; makes ids from names


class Resource(Struct, frozen=True):
    """The workflow, and perhaps the instance, that the path of a request names."""

    worker: Worker
    dialect: Dialect
    workflow: Workflow

    @classmethod
    def of(cls, worker: Worker, dialect: Dialect, request: Request) -> Resource:
        """Return the workflow of a request. Raises ApiError when it does not exist."""
        name = request.path_params["workflow"]
        for bound in worker.config.bound(Workflow):
            if bound.record.name == name:
                return cls(worker, dialect, bound.record)
        raise dialect.no_workflow(name)

    @property
    def id(self) -> str:
        """The workflow's id; it is the same at every start."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.worker.config.name}/{self.workflow.name}"))

    def version_id(self, generation: int = 0) -> str:
        """Return the id of the version with this generation of code; 0: the code in use."""
        engine = self.worker.engine
        code = engine.journal.code(generation) or engine.journal.code(engine.serving.generation)
        return str(uuid.uuid5(_NAMESPACE, f"{self.id}/{code or 'not loaded yet'}"))

    def summary(self, request: Request) -> Summary:
        """Return the instance of a request. Raises ApiError when it does not exist."""
        return self.instance(request.path_params["instance"])

    def instance(self, instance_id: str) -> Summary:
        """Return an instance as in lists. Raises ApiError when it does not exist."""
        found = lists.one(self.worker.engine.journal, self.workflow.name, instance_id)
        if found is None:
            raise self.dialect.no_instance(instance_id)
        return found

    def named(self) -> NamedWorkflow:
        """Return the workflow as in lists, without counts."""
        loaded = self._loaded()
        newest = lists.page(self.worker.engine.journal, Filter(self.workflow.name), Slice(limit=1))
        return {
            "id": self.id,
            "name": self.workflow.name,
            "class_name": self.workflow.definition.class_name,
            "script_name": self.worker.config.name,
            "created_on": iso(loaded[0][1]),
            "modified_on": iso(loaded[-1][1]),
            "triggered_on": iso(newest[0].created_ms) if newest else None,
            "schedules": self._schedules(),
        }

    def _schedules(self) -> list[Tick]:
        now_ms = self.worker.engine.clock.now_ms()
        found: list[Tick] = []
        for expression in self.workflow.schedules:
            next_ms = Cron.parse(expression).next_after_ms(now_ms)
            if next_ms is not None:
                found.append({"cron": expression, "next_instance": iso(next_ms)})
        return found

    def counted(self) -> CountedWorkflow:
        """Return the workflow with the number of its instances by status."""
        return {**self.named(), "instances": self.counts()}

    def counts(self) -> dict[str, int]:
        """Return how many instances have each status."""
        counts = lists.status_counts(self.worker.engine.journal, self.workflow.name)
        return {status.value: number for status, number in counts.items()}

    def shown(self, instance: Summary) -> ListedInstance:
        """Return an instance as in lists."""
        return {
            "id": instance.id,
            "status": instance.status.value,
            "created_on": iso(instance.created_ms),
            "modified_on": iso(instance.modified_ms),
            "started_on": None if instance.started_ms is None else iso(instance.started_ms),
            "ended_on": None if instance.ended_ms is None else iso(instance.ended_ms),
            "workflow_id": self.id,
            "version_id": self.version_id(instance.generation),
            "trigger_source": instance.trigger,
        }

    def versions(self) -> list[Version]:
        """Return a version for each generation of code that was ever loaded, oldest first.

        Their configuration is the present one: older ones are not kept.
        """
        return [self._version(number, since_ms) for number, since_ms in self._loaded()]

    def _loaded(self) -> list[tuple[int, int]]:
        """Return each generation and the time of its load, in order; at least one."""
        worker = self.worker
        generations = lists.generations(worker.engine.journal)
        return [(each.number, each.since_ms) for each in generations] or [(0, worker.started_ms)]

    def _version(self, generation: int, since_ms: int) -> Version:
        since, definition = iso(since_ms), self.workflow.definition
        return {
            "id": self.version_id(generation),
            "class_name": definition.class_name,
            "created_on": since,
            "modified_on": since,
            "workflow_id": self.id,
            "language": self.worker.config.language.value,
            "limits": {"steps": definition.step_limit},
            "default_retention": {
                "success_retention": definition.retention.success_ms,
                "error_retention": definition.retention.error_ms,
            },
            "has_dag": False,
        }
