"""`groundfog workflows instances pause|resume|restart|terminate|skip|send-event`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from emulator.cli.workflows.access import BASE, OWN, opened
from emulator.cli.workflows.naming import explained, find_instance
from emulator.cli.workflows.options import Target, workflow_options
from emulator.cli.workflows.output import say, show_json
from emulator.cli.workflows.payload import read_payload
from emulator.cli.workflows.spans import moment, parse_iso
from emulator.cli.workflows.waiting import refuse_to_wait, wait_for_end, wait_option
from emulator.errors import UsageError

Json = Any

_STEP_TYPES = ("do", "sleep", "waitForEvent")
_KINDS = {"waitForEvent": "event wait", "retry": "retry delay"}


def _instance_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("name")(click.argument("id")(workflow_options(command)))


@click.command()
@_instance_arguments
def pause(target: Target, name: str, id: str) -> None:
    """Pause the instance ID of the workflow NAME; attempts in flight end first."""
    _change(target, name, id, _status("pause"))


@click.command()
@wait_option
@_instance_arguments
def resume(target: Target, name: str, id: str, wait: bool) -> None:
    """Let a paused instance go on, with the time of sleeps that was left."""
    _change(target, name, id, _status("resume"), "complete" if wait else None)


@click.command()
@click.option("--from-step-name", help="Keep what is before this step.")
@click.option("--from-step-count", type=click.IntRange(1), help="Which step of that name [1].")
@click.option("--from-step-type", type=click.Choice(_STEP_TYPES), help="Its type [do].")
@wait_option
@_instance_arguments
def restart(
    target: Target,
    name: str,
    id: str,
    wait: bool,
    from_step_name: str | None,
    from_step_count: int | None,
    from_step_type: str | None,
) -> None:
    """Start the instance over with its original params, all of it or from a step on."""
    change = _status("restart")
    if from_step_name:
        start = {"name": from_step_name, "count": from_step_count, "type": from_step_type}
        given = {key: value for key, value in start.items() if value is not None}
        change = _status("restart", **{"from": given})
    elif from_step_count is not None or from_step_type is not None:
        raise UsageError(
            "--from-step-name is required when using --from-step-count or --from-step-type"
        )
    _change(target, name, id, change, "complete" if wait else None)


@click.command()
@click.option("--rollback", is_flag=True, help="Run the rollback handlers of its steps first.")
@wait_option
@_instance_arguments
def terminate(target: Target, name: str, id: str, wait: bool, rollback: bool) -> None:
    """End the instance now; what its steps are doing is not awaited."""
    change = _status("terminate", **({"rollback": True} if rollback else {}))
    _change(target, name, id, change, "terminated" if wait else None)


@click.command()
@click.option("--step", help="The step to skip, with its count: rest-1 [the one due first].")
@wait_option
@_instance_arguments
def skip(target: Target, name: str, id: str, wait: bool, step: str | None) -> None:
    """End the sleep, event wait or retry delay of the instance now; an event wait times out."""

    def told(skipped: Json) -> str:
        due = moment(parse_iso(skipped["due"]))
        kind = _KINDS.get(skipped["type"], skipped["type"])
        return f"skipped the {kind} of {skipped['name']}, due at {due}"

    body = {} if step is None else {"step": step}
    change = _Change("POST", ("skip",), body, told, OWN)
    _change(target, name, id, change, "complete" if wait else None)


@click.command("send-event")
@click.option("--type", "event_type", required=True, help="Type of the event.")
@click.option("--payload", default="{}", show_default=True, help="JSON; `-` reads standard input.")
@wait_option
@_instance_arguments
def send_event(
    target: Target, name: str, id: str, wait: bool, event_type: str, payload: str
) -> None:
    """Send an event to the instance; it is kept until a step waits for its type."""
    value = read_payload(payload, "--payload")
    change = _Change("POST", ("events", event_type), value, lambda _: f'📤 "{event_type}" was sent')
    _change(target, name, id, change, "complete" if wait else None)


@dataclass(frozen=True, slots=True)
class _Change:
    """A request about an instance, and what to tell of its answer."""

    method: str
    path: tuple[str, ...]
    body: Json
    told: Callable[[Json], str]
    base: str = BASE


def _status(action: str, **rest: Json) -> _Change:
    body = {"status": action, **rest}
    return _Change("PATCH", ("status",), body, lambda result: f"is now {result['status']}")


def _change(target: Target, name: str, id: str, change: _Change, until: str | None = None) -> None:
    """Carry out a change; then wait for the status `until`, if there is one to wait for."""
    with opened(target, changes=True) as api:
        if until is not None:
            refuse_to_wait(api)
        instance = find_instance(api, name, id)
        with explained(api, name, instance):
            path = (name, "instances", instance, *change.path)
            result = api.ask(change.method, *path, body=change.body, base=change.base).result
        if target.as_json and until is None:
            show_json(result)
        else:
            say(f"{name} / {instance}: {change.told(result)}")
        if until is not None:
            wait_for_end(target, api, name, instance, until)
