"""`groundfog workflows instances pause|resume|restart|terminate|skip|send-event`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from msgspec import Struct

from emulator.answers.workflows import SkippedWait, StatusChange
from emulator.cli.output import say, show_json
from emulator.cli.workflows.access import opened
from emulator.cli.workflows.api import BASE, OWN
from emulator.cli.workflows.commands.wait import refuse_to_wait, wait_for_end, wait_option
from emulator.cli.workflows.drawing.marks import ENDED
from emulator.cli.workflows.drawing.spans import moment, parse_iso
from emulator.cli.workflows.naming import explained, find_instance, step_explained
from emulator.cli.workflows.options import Target, workflow_options
from emulator.cli.workflows.payload import read_payload
from emulator.errors import UsageError
from emulator.json_types import Json

_STEP_TYPES = ("do", "sleep", "waitForEvent")
_KINDS = {"waitForEvent": "event wait", "retry": "retry delay"}


def _instance_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("name")(click.argument("id")(workflow_options(command)))


@click.command()
@_instance_arguments
def pause(target: Target, name: str, id: str) -> None:
    """Pause an instance; its attempts in progress end first."""
    _change(target, name, id, _status("pause"))


@click.command()
@click.option("--accept", is_flag=True, help="A held instance: go on with the code as it is now.")
@click.option(
    "--rename",
    "renames",
    multiple=True,
    metavar="OLD=NEW",
    help="A held instance: a recorded step and its present name.",
)
@click.option("--all", "all_alike", is_flag=True, help="Do it for all held for the same reason.")
@wait_option
@_instance_arguments
def resume(
    target: Target,
    name: str,
    id: str,
    wait: bool,
    accept: bool,
    renames: tuple[str, ...],
    all_alike: bool,
) -> None:
    """Let a paused instance go on.

    Its sleeps and timeouts have the same time left as when it was paused.
    """
    choice: dict[str, Json] = {}
    if accept:
        choice["accept"] = True
    if renames:
        choice["rename"] = {old: new for old, new in map(_renaming, renames)}
    if accept and renames:
        raise UsageError("--accept and --rename cannot be combined. Rename first, then look again.")
    if all_alike:
        if not choice:
            raise UsageError("--all goes with --accept or --rename.")
        choice["all"] = True
    _change(target, name, id, _status("resume", choice), "complete" if wait else None)


def _renaming(given: str) -> tuple[str, str]:
    """Return the two names of `"charge=charge card"`."""
    old, equals, new = given.partition("=")
    if not (old and equals and new):
        raise UsageError(f'--rename is "{given}"; expected OLD=NEW, such as --rename charge=pay')
    return old, new


@click.command()
@click.option("--from-step-name", help="Keep the steps before this one.")
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
    """Restart an instance, from the beginning or from a step.

    It keeps its params. Steps before the one named by --from-step-name are kept.
    """
    change = _status("restart")
    if from_step_name:
        start = {"name": from_step_name, "count": from_step_count, "type": from_step_type}
        given: dict[str, Json] = {key: value for key, value in start.items() if value is not None}
        change = _status("restart", {"from": given}, from_step_name)
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
    """End an instance now; its attempts in progress are cut off."""
    change = _status("terminate", {"rollback": True} if rollback else {})
    _change(target, name, id, change, "terminated" if wait else None)


@click.command()
@click.option("--step", help="The step to skip, with its count: rest-1 [the one due first].")
@wait_option
@_instance_arguments
def skip(target: Target, name: str, id: str, wait: bool, step: str | None) -> None:
    """End what an instance waits for: a sleep, an event or a retry.

    A sleep is over, an event wait has timed out, the next attempt begins.
    """

    def told(skipped: SkippedWait) -> str:
        due = moment(parse_iso(skipped["due"]))
        kind = _KINDS.get(skipped["type"], skipped["type"])
        return f"skipped the {kind} of {skipped['name']}, due at {due}"

    body: Json = {} if step is None else {"step": step}
    change = _Change("POST", ("skip",), body, told, OWN)
    _change(target, name, id, change, "complete" if wait else None)


@click.command("send-event")
@click.option("--type", "event_type", required=True, help="Type of the event.")
@click.option("--payload", default="{}", show_default=True, help="JSON; - reads standard input.")
@wait_option
@_instance_arguments
def send_event(
    target: Target, name: str, id: str, wait: bool, event_type: str, payload: str
) -> None:
    """Send an event. It is kept until a step waits for an event of its type."""
    value = read_payload(payload, "--payload")
    change = _Change("POST", ("events", event_type), value, lambda _: f'📤 "{event_type}" was sent')
    _change(target, name, id, change, "complete" if wait else None)


class _Change(Struct, frozen=True):
    """A request about an instance, and the text for its answer."""

    method: str
    path: tuple[str, ...]
    body: object
    told: Callable[[Any], str]
    base: str = BASE
    step: str = ""  # the step that it names


def _status(action: str, more: dict[str, Json] | None = None, step: str = "") -> _Change:
    """Return the request for a change of status; the API calls it `action`."""

    def told(result: StatusChange) -> str:
        status = result["status"]
        if action in ("pause", "resume") and status in ENDED:
            return f"has ended ({status}); there is nothing to {action}"
        others = len(result.get("resumed", [])) - 1
        were = "was" if others == 1 else "were"
        return f"is now {status}" + (
            f", and {others} that {were} held for the same reason" * (others > 0)
        )

    return _Change("PATCH", ("status",), {"status": action, **(more or {})}, told, step=step)


def _change(target: Target, name: str, id: str, change: _Change, until: str | None = None) -> None:
    """Make a change; then wait for the status `until`, if it is given."""
    with opened(target, changes=True) as api:
        if until is not None:
            refuse_to_wait(api)
        instance = find_instance(api, name, id)
        with explained(api, name, instance), step_explained(api, name, instance, change.step):
            path = (name, "instances", instance, *change.path)
            result = api.ask(change.method, *path, body=change.body, base=change.base).result
        if target.as_json and until is None:
            show_json(result)
        else:
            say(f"{name} / {instance}: {change.told(result)}")
        if until is not None:
            wait_for_end(target, api, name, instance, until)
