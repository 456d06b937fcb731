"""`groundfog clock`: shows and moves the time of workflows."""

from __future__ import annotations

import click

from emulator.answers.clock import ClockState
from emulator.cli.lazy import Group
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import show, show_json
from emulator.cli.remote import RemoteApi
from emulator.durations import InvalidDuration, format_duration, parse_duration_ms
from emulator.errors import UsageError
from emulator.state import State

CLOCK = "/cdn-cgi/groundfog/clock"
MOVING_TIMEOUT_S = 86_400  # everything that is due happens first, and that may take long


@click.group(cls=Group)
def clock() -> None:
    """Show and move the virtual clock of the running server."""


@clock.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def tell(options: ProjectOptions, as_json: bool) -> None:
    """Say what time it is, and when the next thing is due."""
    _say(_ask(options, "GET"), as_json)


@clock.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def freeze(options: ProjectOptions, as_json: bool) -> None:
    """Stop time."""
    _say(_ask(options, "POST", "freeze"), as_json)


@clock.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def run(options: ProjectOptions, as_json: bool) -> None:
    """Let time go on at its usual speed."""
    _say(_ask(options, "POST", "run"), as_json)


@clock.command()
@click.argument("span")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def advance(options: ProjectOptions, span: str, as_json: bool) -> None:
    """Move time by SPAN, such as "30 days"; everything due in that time happens."""
    try:
        span_ms = parse_duration_ms(int(span) if span.isdecimal() else span)
    except InvalidDuration as error:
        raise UsageError(f"SPAN is {error}") from None
    _say(_ask(options, "POST", "advance", body={"span": span_ms}), as_json)


@clock.command("next")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def advance_to_next(options: ProjectOptions, as_json: bool) -> None:
    """Move time to the next deadline of any instance, or the next schedule."""
    _say(_ask(options, "POST", "next"), as_json)


def _ask(options: ProjectOptions, method: str, *path: str, body: object = None) -> ClockState:
    server = State.locate(load_project(options), options.persist_to).running_server()
    if server is None:
        raise UsageError(
            "No groundfog dev is running here, so there is no clock."
            "\n  Start one with `groundfog dev --clock virtual`."
        )
    api = RemoteApi(server, timeout_s=MOVING_TIMEOUT_S)
    state: ClockState = api.ask(method, *path, body=body, base=CLOCK).result
    return state


def _say(record: ClockState, as_json: bool) -> None:
    if as_json:
        show_json(record)
        return
    state = "real" if record["mode"] == "real" else "virtual"
    if state == "virtual":
        state += ", stands still" if record["frozen"] else ", runs"
    show(f"{record['now']} ({state})")
    moved_ms = _epoch_ms(record["now"]) - _epoch_ms(record.get("before", record["now"]))
    if moved_ms > 0 and record["frozen"]:
        show(f"moved by {format_duration(moved_ms)}")
    if record["next"] is None:
        show("nothing is due")
    else:
        ahead_ms = max(0, _epoch_ms(record["next"]) - _epoch_ms(record["now"]))
        show(f"next: {record['next']}, in {format_duration(ahead_ms)}")


def _epoch_ms(text: str) -> int:
    from emulator.cli.workflows.drawing.spans import parse_iso

    return parse_iso(text)
