"""Workflow instances of a worker under test: found, waited for, told, changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from emulator.engine.forking import fork
from emulator.engine.model.instance import TERMINAL, Instance, Status
from emulator.engine.model.instance_entries import ReceivedEvent
from emulator.engine.model.plain import iso
from emulator.engine.model.step import Step
from emulator.engine.model.step_key import StepKind
from emulator.engine.views import export, report
from emulator.engine.views.comparison import differences
from emulator.errors import WorkerError
from emulator.kinds.workflow import Workflow
from emulator.testing.operations import Args, asked
from emulator.testing.refusals import NoSuch, Refused, Stuck
from emulator.testing.subject import Subject
from emulator.testing.waiting import until

PAGE_COLUMNS = 100


class Place(Struct, frozen=True):
    """One instance, which need not exist yet."""

    subject: Subject
    workflow: str
    id: str

    @classmethod
    def of(cls, subject: Subject, args: Args) -> Place:
        """Return the instance that a question is about. Raises NoSuch."""
        place = cls(subject, workflow_of(subject, args["binding"]), args["id"])
        subject.looked_at.add((place.workflow, place.id))
        return place

    def find(self) -> Instance | None:
        """Return the instance; None before it is created."""
        key = self.subject.engine.journal.find(self.workflow, self.id)
        return None if key is None else self.subject.engine.roster.instance(key)

    def get(self) -> Instance:
        """Return the instance. Raises NoSuch."""
        found = self.find()
        if found is None:
            raise NoSuch(self.missing())
        return found

    def missing(self) -> str:
        """Return that there is no such instance, and which there are."""
        rows = self.subject.engine.journal.every()
        ids = [row.id for row in rows if row.workflow == self.workflow]
        shown = ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
        there = f"It has {shown}." if ids else "It has none."
        return f"{self.workflow} has no instance {self.id}. {there}"

    def timeline(self) -> str:
        """Return the instance drawn as text."""
        from emulator.cli.ink import Ink
        from emulator.cli.workflows.drawing.card import instance_page
        from emulator.cli.workflows.drawing.timeline import Page

        found = self.find()
        if found is None:
            return self.missing()
        now_ms = self.subject.worker.timekeeper.now_ms()
        page = Page(PAGE_COLUMNS, Ink(False), now_ms, with_bars=False)
        return instance_page(self.workflow, self.id, self.detail(found), page, live=True)

    def detail(self, instance: Instance) -> Any:
        """Return its details, as REST tells them."""
        journal = self.subject.engine.journal
        with journal.reading(instance.key):
            detail = report.instance_detail(journal.entries(instance.key), instance.status, "")
        if instance.status not in TERMINAL:
            report.tell_due_times(detail, instance)
        return detail

    async def until(self, reached: Callable[[Instance], Any], what: str, args: Args) -> Any:
        """Return the first result of `reached` that is not None. Raises Stuck, TooLate."""

        def look() -> Any:
            found = self.find()
            return None if found is None else reached(found)

        name = f"{self.workflow} / {self.id} {what}"
        return await until(self.subject, look, name, self.timeline, args["timeout_ms"])


def workflow_of(subject: Subject, binding: str) -> str:
    """Return the name of the workflow that a binding is for. Raises NoSuch."""
    bound = {each.name: each.record.name for each in subject.config.bound(Workflow)}
    if binding in bound:
        return bound[binding]
    if binding in bound.values():
        return binding
    there = f"It has {', '.join(sorted(bound))}." if bound else "It has no workflows."
    raise NoSuch(f"{subject.config.path.name} has no workflow with the binding {binding}. {there}")


@asked("instances")
async def instances(subject: Subject, args: Args) -> list[str]:
    """Return the ids of the instances of a workflow that are newer than `since`, oldest first."""
    workflow = workflow_of(subject, args["binding"])
    rows = subject.engine.journal.every()
    found = [row for row in rows if row.workflow == workflow and row.key > args["since"]]
    return [row.id for row in sorted(found, key=lambda row: row.key)]


@asked("newest_instance")
async def newest_instance(subject: Subject, args: Args) -> int:
    """Return a number that all instances created from now on are newer than."""
    workflow_of(subject, args["binding"])
    return max((row.key for row in subject.engine.journal.every()), default=0)


@asked("instance.status")
async def status(subject: Subject, args: Args) -> str:
    """Return the status of an instance."""
    return Place.of(subject, args).get().status.value


@asked("instance.wait_for_status")
async def wait_for_status(subject: Subject, args: Args) -> str:
    """Return when an instance has a status."""
    place, wanted = Place.of(subject, args), args["status"]
    if wanted not in list(Status):
        known = ", ".join(Status)
        raise Refused(f"There is no status {wanted!r}; expected one of {known}.")

    def reached(instance: Instance) -> str | None:
        if instance.status == wanted:
            return wanted  # type: ignore[no-any-return]
        if instance.is_terminal:
            text = f"{place.id} is {instance.status}, so it will not be {wanted} any more."
            raise Stuck(f"{text}\n{place.timeline()}")
        return None

    return await place.until(reached, f"to be {wanted}", args)  # type: ignore[no-any-return]


@asked("instance.result")
async def result(subject: Subject, args: Args) -> dict[str, Any]:
    """Return `{"status", "output", "error", "timeline"}` when an instance has ended."""
    place = Place.of(subject, args)
    ended: Instance = await place.until(
        lambda instance: instance if instance.is_terminal else None, "to end", args
    )
    return _outcome(place, ended)


@asked("instance.outcome")
async def outcome(subject: Subject, args: Args) -> dict[str, Any]:
    """Return the same of an instance as it is now; `output` is None before it is complete."""
    place = Place.of(subject, args)
    return _outcome(place, place.get())


def _outcome(place: Place, instance: Instance) -> dict[str, Any]:
    error = instance.error
    return {
        "status": instance.status.value,
        "output": instance.output if instance.status is Status.COMPLETE else None,
        "error": None if error is None else error.as_json(),
        "timeline": "" if instance.status is Status.COMPLETE else place.timeline(),
    }


@asked("instance.wait_for_step")
async def wait_for_step(subject: Subject, args: Args) -> None:
    """Return when a step has begun, or is held."""
    place = Place.of(subject, args)

    def reached(instance: Instance) -> bool | None:
        held = any(
            each.call.instance == place.id
            and each.call.name == args["step"]
            and args["index"] in (0, each.call.count)
            for each in subject.held
        )
        if held or _found(instance, args) is not None:
            return True
        _ended_without(place, instance, args)
        return None

    await place.until(reached, f"to begin {_shown(args)}", args)


@asked("instance.wait_for_step_result")
async def wait_for_step_result(subject: Subject, args: Args) -> bytes:
    """Return the result of a step, when it has succeeded. Raises Stuck when it has failed."""
    place = Place.of(subject, args)

    def reached(instance: Instance) -> bytes | None:
        step = _found(instance, args)
        if step is None or not step.has_ended:
            _ended_without(place, instance, args)
            return None
        if step.error is not None:
            text = f"{_shown(args)} has failed: {step.error.name}: {step.error.message}"
            raise Stuck(f"{text}\n{place.timeline()}")
        return subject.engine.journal.value(step.value) or b"null"

    return await place.until(reached, f"to end {_shown(args)}", args)  # type: ignore[no-any-return]


@asked("instance.steps")
async def steps(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return the details of every step, in the order they began, with `output` in tagged JSON."""
    place = Place.of(subject, args)
    instance = place.get()
    read = subject.engine.journal.value
    known = {(_type(step), step.label): step for step in instance.steps.values()}
    found = []
    for detail in place.detail(instance)["steps"]:
        step = known.get((detail["type"], detail.get("name", "")))
        if step is None:
            continue
        value = b"" if step.value == b"" else read(step.value)
        found.append(
            {
                **detail,
                "name": step.name,
                "count": step.count,
                "state": step.state.value,
                "value": value,
                "error": None if step.error is None else step.error.as_json(),
                "due": None if step.due_ms is None else iso(step.due_ms),
            }
        )
    return found


@asked("instance.events")
async def events(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return the events that an instance got: `{"type", "payload", "at"}` of each."""
    instance = Place.of(subject, args).get()
    read = subject.engine.journal.value
    return [
        {"type": entry.data.event, "payload": read(entry.value) or b"null", "at": iso(entry.at_ms)}
        for entry in subject.engine.journal.entries(instance.key)
        if isinstance(entry.data, ReceivedEvent)
    ]


@asked("instance.timeline")
async def timeline(subject: Subject, args: Args) -> str:
    """Return an instance drawn as text."""
    return Place.of(subject, args).timeline()


@asked("instance.history")
async def history(subject: Subject, args: Args) -> dict[str, Any]:
    """Return the history of an instance, as `groundfog workflows check` reads it."""
    instance = Place.of(subject, args).get()
    return {**export.export(instance, subject.engine.journal.entries(instance.key))}


@asked("instance.change")
async def change(subject: Subject, args: Args) -> str:
    """Pause, resume, terminate, restart or delete an instance; return its status then."""
    place, control, how = Place.of(subject, args), subject.control, args["how"]
    name = place.workflow, place.id
    place.get()
    match how:
        case "pause":
            await _refusing(control.pause(*name))
        case "resume":
            await _refusing(control.resume(*name))
        case "terminate":
            await _refusing(control.terminate(*name, rollback=args["rollback"]))
        case "restart" if args["start"] is not None:
            await _refusing(control.restart_from(*name, _restart_point(place, args["start"])))
        case "restart":
            await _refusing(control.restart(*name))
        case "delete":
            await _refusing(control.delete(*name))
            return "deleted"
    return place.get().status.value


@asked("instance.send_event")
async def send_event(subject: Subject, args: Args) -> None:
    """Send an event to an instance."""
    place = Place.of(subject, args)
    place.get()
    await subject.ordering.turn(f'event "{args["type"]}" arrives')
    sending = subject.control.send_event(place.workflow, place.id, args["type"], args["payload"])
    await _refusing(sending)


@asked("instance.skip")
async def skip(subject: Subject, args: Args) -> dict[str, str]:
    """End a sleep, event wait or retry delay now; return `{"name", "type"}` of what was ended."""
    place = Place.of(subject, args)
    instance = place.get()
    label = None
    if args["step"]:
        step = _found(instance, args)
        label = f"{args['step']}-{args['index'] or 1}" if step is None else step.label
    skipped = await _refusing(subject.control.skip(place.workflow, place.id, label))
    return {"name": skipped.name, "type": skipped.type}


@asked("instance.fork")
async def fork_instance(subject: Subject, args: Args) -> str:
    """Create an instance that shares the past of one, up to a step; return its id."""
    place = Place.of(subject, args)
    place.get()
    values = {name: args[name] for name in ("params", "output") if args[name] is not None}
    forking = fork(
        subject.engine,
        place.workflow,
        place.id,
        _restart_point(place, args),
        new_id=args["new_id"],
        **values,
    )
    return str(await _refusing(forking))


@asked("instance.diff")
async def diff(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return what is different in two instances: `{"where", "one", "other"}` of each."""
    one, other = Place.of(subject, args), Place.of(subject, {**args, "id": args["other"]})
    found = differences(one.detail(one.get()), other.detail(other.get()))
    return [dict(each) for each in found]


def _restart_point(place: Place, start: dict[str, Any]) -> dict[str, Any]:
    """Return a step as `restart` takes it: with its type, which a test need not say."""
    step = _found(place.get(), start)
    kind = StepKind.DO if step is None else step.kind
    return {"name": start["step"], "count": start["index"] or 1, "type": kind.value}


def _found(instance: Instance, args: Args) -> Step | None:
    """Return the first step with a name and, if it is given, a number."""
    for step in instance.steps.values():
        if step.name == args["step"] and args["index"] in (0, step.count):
            return step if step.kind is not StepKind.ROLLBACK else None
    return None


def _ended_without(place: Place, instance: Instance, args: Args) -> None:
    if instance.is_terminal:
        names = ", ".join(dict.fromkeys(step.name for step in instance.steps.values()))
        text = f"{place.id} is {instance.status} and never began {_shown(args)}. It began: {names}."
        raise Stuck(f"{text}\n{place.timeline()}")


def _shown(args: Args) -> str:
    return f'step "{args["step"]}"' + (f" #{args['index']}" if args["index"] else "")


def _type(step: Step) -> str:
    return "step" if step.kind is StepKind.DO else step.kind.value


async def _refusing(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except WorkerError as error:
        raise Refused(error.message, name=error.name) from None
