"""Workflows: `[[workflows]]`. `workflow_classes.py` checks their class names against loaded code.

The engine gets what is read and executes the workflows; the binding only passes calls to it.

Source: docs/platform/configuration.md, "Workflows";
https://github.com/cloudflare/workers-sdk/blob/main/packages/workers-utils/src/config/validation.ts
(validateWorkflowBinding).
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from emulator.config.cron_key import is_cron
from emulator.config.model import Bound
from emulator.config.problems import quoted
from emulator.config.table import Table
from emulator.durations import InvalidDuration, read_retention
from emulator.engine.model.definition import (
    RETENTION_MAX_MS,
    STEP_LIMIT,
    Definition,
    Retention,
)
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "workflow"
FRIENDLY = "Workflow"
# Wrangler's keys of a workflow; `jurisdiction` says where in the world instances are kept.
KEYS = frozenset(
    """
    binding class_name concurrency default_retention jurisdiction limits name remote schedules
    script_name
    """.split()
)
WORKFLOW_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,63}")
NAME_RULE = (
    "Workflow names must be 1-64 characters long, start with a letter, number, or underscore, and "
    "may only contain letters, numbers, underscores, or hyphens."
)
STEPS_MAX = 2**31 - 1
STEPS_WARNING = 25_000  # production's highest step limit; wrangler warns above it

CONCURRENCY_MAX = 2**31 - 1
# Source: https://developers.cloudflare.com/workflows/reference/limits/ (schedules, paid plan).
SCHEDULES_MAX = 100

_RETENTION_EXAMPLE = 'Write default_retention = { success_retention = "7 days" }.'
_EXAMPLE = 'with binding = "MY_WORKFLOW", name = "my-workflow" and class_name = "MyWorkflow".'


class Workflow(Struct, frozen=True):
    """One `[[workflows]]` entry of this worker.

    schedules: cron expressions. where, index: `"wrangler.toml:14"` and its place in the list, for
    messages about its class.
    """

    definition: Definition
    schedules: tuple[str, ...] = ()
    where: str = ""
    index: int = 0

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.definition.name


class ForeignWorkflow(Struct, frozen=True):
    """A `[[workflows]]` entry whose `script_name` is another worker, which defines the workflow."""

    worker: str
    name: str


def _read(section: Section) -> list[Bound[Any]]:
    """Return the workflows of this worker, and bindings to workflows that another one defines."""
    bounds: list[Bound[Any]] = []
    for item in section.items(_EXAMPLE):
        bound = _read_workflow(item, section)
        if bound is None:
            continue
        script = item.data.get("script_name")
        if isinstance(script, str) and script != section.worker_name:
            _check_only_the_owner_sets_limits(item)
            bounds.append(Bound(bound.name, NAME, ForeignWorkflow(script, bound.record.name)))
        else:
            bounds.append(bound)
    _report_duplicate_names(section.owner)
    owned = [each.record for each in bounds if isinstance(each.record, Workflow)]
    count = sum(len(each.schedules) for each in owned)
    if count > SCHEDULES_MAX:
        text = f"{count} schedules; Cloudflare allows {SCHEDULES_MAX} per account"
        section.owner.warn("workflows", text)
    return bounds


def _read_workflow(item: Table, section: Section) -> Bound[Workflow] | None:
    binding = section.name(item, "MY_WORKFLOW")
    name = item.string("name", required=True, example="my-workflow")
    class_name = item.string("class_name", required=True, example="MyWorkflow")
    item.string("script_name")
    step_limit = _read_step_limit(item)
    schedules = _read_schedules(item)
    retention = _read_retention(item)
    if item.boolean("remote"):
        text = "Workflow bindings do not support accessing remote resources"
        item.error("remote", f"{item.name('remote')} is true; {text}", "Remove it.")
    if name is not None and not WORKFLOW_NAME.fullmatch(name):
        item.error("name", f"{item.name('name')} is {quoted(name)}. {NAME_RULE}")
        return None
    if not binding or not name or not class_name:
        return None
    definition = Definition(
        name,
        class_name,
        step_limit,
        retention=retention,
        concurrency=_read_concurrency(item),
    )
    return Bound(
        binding, NAME, Workflow(definition, schedules, item.where("class_name"), _index(item))
    )


def _read_step_limit(item: Table) -> int:
    limits = item.table("limits", "Write limits = { steps = 1000 }.")
    if limits is None:
        return STEP_LIMIT
    limits.unknown_keys({"steps"})
    steps = limits.integer("steps", 1, STEPS_MAX)
    if steps is not None and steps > STEPS_WARNING:
        text = f"{limits.name('steps')} is {steps}; Cloudflare allows at most {STEPS_WARNING:,}"
        limits.warn("steps", text)
    return steps or STEP_LIMIT


def _read_concurrency(item: Table) -> int | None:
    concurrency = item.table("concurrency", "Write concurrency = { limit = 10 }.")
    if concurrency is None:
        return None
    concurrency.unknown_keys({"limit"})
    return concurrency.integer("limit", 1, CONCURRENCY_MAX)


def _read_retention(item: Table) -> Retention:
    retention = item.table("default_retention", _RETENTION_EXAMPLE)
    if retention is None:
        return Retention()
    retention.unknown_keys({"success_retention", "error_retention"})

    def wrong(key: str, error: InvalidDuration) -> None:
        retention.error(key, f"{retention.name(key)} is {error}", _RETENTION_EXAMPLE)

    kept = read_retention(retention.data, "_retention", wrong)
    for outcome, kept_ms in kept.items():
        if kept_ms > RETENTION_MAX_MS:
            key = f"{outcome}_retention"
            text = f"{retention.name(key)} is {quoted(retention.data[key])}"
            retention.warn(key, f"{text}; Cloudflare keeps at most 30 days")
    return Retention.of(kept, Retention())


def _read_schedules(item: Table) -> tuple[str, ...]:
    value = item.data.get("schedules")
    if value is None:
        return ()
    schedules = (value,) if isinstance(value, str) else item.strings("schedules")
    if value == [] or any(not schedule.strip() for schedule in schedules):
        found = f"{item.name('schedules')} is empty; expected at least one cron expression"
        item.error("schedules", found, 'For example schedules = ["0 9 * * *"].')
        return ()
    return tuple(dict.fromkeys(text for text in schedules if is_cron(item, "schedules", text)))


def _check_only_the_owner_sets_limits(item: Table) -> None:
    for key in ("limits", "schedules", "default_retention"):
        if key in item.data:
            item.error(
                key,
                f"{item.name(key)} is set, but script_name says that the worker "
                f"{quoted(item.data['script_name'])} defines this workflow",
                f"Set {key} in that worker's configuration only.",
            )


def _report_duplicate_names(owner: Table) -> None:
    first: dict[str, Table] = {}
    items = owner.data.get("workflows")
    for index, data in enumerate(items if isinstance(items, list) else []):
        name = data.get("name") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(name, str) or not name:
            continue
        item = Table(data, (*owner.path, "workflows", index), owner.source, owner.report)
        if name in first:
            found = f"{item.name('name')} is {quoted(name)}, which {first[name].name()} is called"
            fix = "Give each workflow a name of its own: it is where its instances are kept."
            item.error("name", f"{found} already ({first[name].where('name')})", fix)
        first.setdefault(name, item)


def _index(item: Table) -> int:
    index = item.path[-1]
    assert isinstance(index, int)
    return index


def _open(workflow: Workflow | ForeignWorkflow, places: Places) -> Binding:
    from bindings.workflow.workflow import WorkflowBinding
    from emulator.protocol import values

    if isinstance(workflow, ForeignWorkflow):
        from bindings.workflow.elsewhere import WorkflowElsewhere

        worker = workflow.worker
        find = partial(places.workers.executor, worker)
        return WorkflowElsewhere(worker, workflow.name, find, values.encode, values.decode)
    return WorkflowBinding(workflow.name, places.executor, values.encode, values.decode)


def _shown(workflow: Workflow | ForeignWorkflow) -> str:
    if isinstance(workflow, ForeignWorkflow):
        return f"{workflow.name} (of the worker {workflow.worker})"
    detail = f"{workflow.name} ({workflow.definition.class_name})"
    if workflow.schedules:
        detail += f", starts itself at {' and '.join(workflow.schedules)} (UTC)"
    return detail


def _identity(workflow: Workflow | ForeignWorkflow, places: Places) -> Hashable:
    if isinstance(workflow, ForeignWorkflow):
        return workflow
    return workflow.name


def _in_workerd(workflow: Workflow | ForeignWorkflow, service: str) -> dict[str, Value]:
    from emulator.runner.workerd.member import wrapped

    fetcher: dict[str, Value] = {
        "name": "fetcher",
        "service": {
            "name": "workflows",
            "entrypoint": "Workflows",
            "props": {"json": json.dumps({"service": service})},
        },
    }
    return wrapped("workflows-api", [fetcher])


KIND = Kind(
    name=NAME,
    typed="Workflow",
    section="workflows",
    friendly=FRIENDLY,
    keys=KEYS,
    read=_read,
    open=_open,
    shown=_shown,
    identity=_identity,
    workerd=_in_workerd,
    http="bindings.workflow.http:answer",
    routes="emulator.server.api.workflows.routes:workflow_routes",
    line=0,
)
