"""Everything that is known of a worker under test, as text; what a test has not looked at."""

from __future__ import annotations

from typing import Any

from bindings.ai.ledger import read
from emulator.engine.model.instance import Status
from emulator.kinds.ai import ledger_path
from emulator.kinds.workflow import Workflow
from emulator.testing.instances import Place
from emulator.testing.operations import Args, asked
from emulator.testing.subject import Subject

INSTANCES_SHOWN = 20
CALLS_SHOWN = 50


@asked("debug")
async def debug(subject: Subject, args: Args) -> str:
    """Return logs, requests that were fetched, calls of `env.AI`, the timeline of each instance."""
    parts = []
    if subject.logs.lines:
        lines = [f"  {line['level']:<8}{line['message']}" for line in subject.logs.lines]
        parts.append("\n".join(["Logs", *lines]))
    parts += [part for part in (_fetched(subject), _asked_ai(subject)) if part]
    rows = subject.engine.journal.every()
    for row in rows[:INSTANCES_SHOWN]:
        parts.append(Place(subject, row.workflow, row.id).timeline())
    if len(rows) > INSTANCES_SHOWN:
        parts.append(f"and {len(rows) - INSTANCES_SHOWN} instances more")
    return "\n\n".join(parts)


def _fetched(subject: Subject) -> str:
    calls = subject.outbound.log[-CALLS_SHOWN:]
    return "\n".join(["Fetched", *(f"  {line}" for line in calls)]) if calls else ""


def _asked_ai(subject: Subject) -> str:
    """Return the newest calls of `env.AI`, a line each."""
    if subject.answers is None:
        return ""
    lines = []
    for call in list(read(ledger_path(subject.worker.state)))[-CALLS_SHOWN:]:
        lines.append(f"  {call.get('model', '')}  {call.get('answered_by', '')}".rstrip())
    return "\n".join(["Asked env.AI", *lines]) if lines else ""


@asked("errored")
async def errored(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return the instances that ended with an error, and nobody has looked: with their timelines.

    Those that the test or the worker has asked for are left out.
    """
    names = {bound.record.name for bound in subject.config.bound(Workflow)}
    return [
        {
            "workflow": row.workflow,
            "id": row.id,
            "timeline": Place(subject, row.workflow, row.id).timeline(),
        }
        for row in subject.engine.journal.every()
        if row.status is Status.ERRORED
        and row.workflow in names
        and (row.workflow, row.id) not in subject.looked_at
    ]


@asked("unfinished")
async def unfinished(subject: Subject, args: Args) -> list[str]:
    """Return the instances that have not ended: `"orders / order-17 (waiting)"`."""
    rows = subject.engine.journal.unfinished()
    return [f"{row.workflow} / {row.id} ({row.status})" for row in rows]
