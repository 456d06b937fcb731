"""`groundfog workflows instances pause|resume|restart|terminate|send-event`."""

from __future__ import annotations

from typing import Any

import click

from emulator.cli.workflows.access import OWN, opened
from emulator.cli.workflows.naming import explained, find_instance
from emulator.cli.workflows.options import Target, workflow_options
from emulator.cli.workflows.output import say, show_json
from emulator.cli.workflows.payload import read_payload
from emulator.cli.workflows.spans import moment, parse_iso
from emulator.errors import UsageError

Json = Any

_STEP_TYPES = ("do", "sleep", "waitForEvent")
_KINDS = {"waitForEvent": "event wait", "retry": "retry delay"}


@click.command()
@click.argument("name")
@click.argument("id")
@workflow_options
def pause(target: Target, name: str, id: str) -> None:
    """Pause the instance ID of the workflow NAME; attempts in flight end first."""
    _change(target, name, id, {"status": "pause"})


@click.command()
@click.argument("name")
@click.argument("id")
@workflow_options
def resume(target: Target, name: str, id: str) -> None:
    """Let a paused instance go on, with the time of sleeps that was left."""
    _change(target, name, id, {"status": "resume"})


@click.command()
@click.argument("name")
@click.argument("id")
@click.option("--from-step-name", help="Keep what is before this step.")
@click.option("--from-step-count", type=click.IntRange(1), help="Which step of that name [1].")
@click.option("--from-step-type", type=click.Choice(_STEP_TYPES), help="Its type [do].")
@workflow_options
def restart(
    target: Target,
    name: str,
    id: str,
    from_step_name: str | None,
    from_step_count: int | None,
    from_step_type: str | None,
) -> None:
    """Start the instance over with its original params, all of it or from a step on."""
    body: dict[str, Json] = {"status": "restart"}
    if from_step_name:
        start = {"name": from_step_name, "count": from_step_count, "type": from_step_type}
        body["from"] = {key: value for key, value in start.items() if value is not None}
    elif from_step_count is not None or from_step_type is not None:
        raise UsageError(
            "--from-step-name is required when using --from-step-count or --from-step-type"
        )
    _change(target, name, id, body)


@click.command()
@click.argument("name")
@click.argument("id")
@click.option("--rollback", is_flag=True, help="Run the rollback handlers of its steps first.")
@workflow_options
def terminate(target: Target, name: str, id: str, rollback: bool) -> None:
    """End the instance now; what its steps are doing is not awaited."""
    body: dict[str, Json] = {"status": "terminate"}
    if rollback:
        body["rollback"] = True
    _change(target, name, id, body)


@click.command()
@click.argument("name")
@click.argument("id")
@click.option("--step", help="The step to skip, with its count: rest-1 [the one due first].")
@workflow_options
def skip(target: Target, name: str, id: str, step: str | None) -> None:
    """End the sleep, event wait or retry delay of the instance now; an event wait times out."""
    with opened(target, changes=True) as api:
        instance = find_instance(api, name, id)
        with explained(api, name, instance):
            path = (name, "instances", instance, "skip")
            body = {} if step is None else {"step": step}
            skipped = api.ask("POST", *path, body=body, base=OWN).result
        if target.as_json:
            show_json(skipped)
        else:
            due = moment(parse_iso(skipped["due"]))
            kind = _KINDS.get(skipped["type"], skipped["type"])
            say(f"{_title(name, instance)}: skipped the {kind} of {skipped['name']}, due at {due}")


@click.command("send-event")
@click.argument("name")
@click.argument("id")
@click.option("--type", "event_type", required=True, help="Type of the event.")
@click.option("--payload", default="{}", show_default=True, help="JSON; `-` reads standard input.")
@workflow_options
def send_event(target: Target, name: str, id: str, event_type: str, payload: str) -> None:
    """Send an event to the instance; it is kept until a step waits for its type."""
    value = read_payload(payload, "--payload")
    with opened(target, changes=True) as api:
        instance = find_instance(api, name, id)
        with explained(api, name, instance):
            path = (name, "instances", instance, "events", event_type)
            result = api.ask("POST", *path, body=value).result
        if target.as_json:
            show_json(result)
        else:
            say(f'📤 "{event_type}" was sent to {_title(name, instance)}')


def _change(target: Target, name: str, id: str, body: dict[str, Json]) -> None:
    with opened(target, changes=True) as api:
        instance = find_instance(api, name, id)
        with explained(api, name, instance):
            result = api.ask("PATCH", name, "instances", instance, "status", body=body).result
        if target.as_json:
            show_json(result)
        else:
            say(f"{_title(name, instance)} is now {result['status']}")


def _title(workflow: str, instance: str) -> str:
    return f"{workflow} / {instance}"
