"""What a worker under test has brought about, to compare a run with one that crashed."""

from __future__ import annotations

from typing import Any

from emulator.kinds.workflow import Workflow
from emulator.testing.operations import Args, asked
from emulator.testing.subject import Subject

KEY_HEADER = "idempotency-key"  # requests with equal ones are one request to whoever gets them


@asked("crash.points")
async def points(subject: Subject, args: Args) -> dict[str, Any]:
    """Return the points that were passed, and whether the planned one was among them."""
    passed = [
        {"name": point.name, "text": point.text, "line": point.line}
        for point in subject.crashes.passed
    ]
    return {"passed": passed, "happened": subject.crashes.happened}


@asked("crash.at")
async def crash_at(subject: Subject, args: Args) -> None:
    """Kill the guest at a point."""
    subject.crashes.at = args["point"]


@asked("order.follow")
async def follow(subject: Subject, args: Args) -> None:
    """Let what is under way at the same time end in an order: a plan of choices, and a seed."""
    subject.ordering.follow(tuple(args["plan"]), args["seed"])


@asked("order.choices")
async def choices(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return the choices that were made: `{"taken", "texts"}` of each."""
    made = subject.ordering.choices
    return [{"taken": choice.taken, "texts": list(choice.texts)} for choice in made]


@asked("replays")
async def replays(subject: Subject, args: Args) -> list[dict[str, str]]:
    """Replay what was recorded under another clock; return `{"instance", "text", "line"}`s."""
    return [
        {"instance": f"{seen.workflow} / {seen.id}", "text": seen.text, "line": seen.line}
        for seen in await subject.replayed()
    ]


@asked("outcome")
async def outcome(subject: Subject, args: Args) -> dict[str, list[str]]:
    """Return what came of it: lines by what they are about, such as `"table orders of DB"`."""
    from emulator.cli.contents import contents

    return {
        **_instances(subject),
        **contents(subject.config, subject.worker.state),
        **_messages(subject),
        "requests": _requests(subject),
    }


def _instances(subject: Subject) -> dict[str, list[str]]:
    from emulator.cli.contents import instance_lines

    names = {bound.record.name for bound in subject.config.bound(Workflow)}
    found = {}
    for row in subject.engine.journal.every():
        if row.workflow in names:
            instance = subject.engine.roster.instance(row.key)
            found[f"instance {row.workflow} / {row.id}"] = instance_lines(instance)
    return found


def _messages(subject: Subject) -> dict[str, list[str]]:
    """Return what the worker has sent to queues."""
    sent = subject.faults.sent
    return {f"messages to {name}": sorted(bodies) for name, bodies in sent.items()}


def _requests(subject: Subject) -> list[str]:
    """Return what was fetched; requests with one idempotency key are one."""
    found: dict[Any, str] = {}
    for rule in subject.outbound.rules:
        for number, call in enumerate(rule.calls):
            headers = {name.lower(): value for name, value in call["headers"]}
            key = headers.get(KEY_HEADER) or (rule.number, number)
            found[key] = f"{call['method']} {call['url']} {call['body'] or b''!r}"
    return sorted(found.values())
