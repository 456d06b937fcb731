"""`groundfog workflows list` and `describe`, and `… instances list`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import click

from emulator.answers.workflows import CountedWorkflow, ListedInstance, PageInfo
from emulator.cli.cells import printable
from emulator.cli.ink import Colour, Ink
from emulator.cli.output import say, show_drawn, show_json, size_of
from emulator.cli.table import draw_table
from emulator.cli.workflows.access import opened
from emulator.cli.workflows.drawing.card import labelled
from emulator.cli.workflows.drawing.marks import mark, marked
from emulator.cli.workflows.drawing.spans import moment, parse_iso, span
from emulator.cli.workflows.naming import explained
from emulator.cli.workflows.options import Target, workflow_options
from emulator.clock import SystemClock
from emulator.errors import UsageError
from emulator.words import counted

STATUSES = (
    "queued",
    "running",
    "paused",
    "errored",
    "terminated",
    "complete",
    "waiting",
    "waitingForPause",
    "rollingBack",
)
_PER_PAGE_MAX = 100
_ID_MAX = 300  # an id is shown whole, so that it can be copied
_COLUMNS_MIN = 2  # of a table, even on a narrow terminal


def _paged(command: Any) -> Any:
    command = click.option("--page", type=click.IntRange(1), default=1, help="Which page.")(command)
    return click.option(
        "--per-page", type=click.IntRange(1, _PER_PAGE_MAX), help="How many on a page."
    )(command)


@click.command("list")
@_paged
@workflow_options
def list_workflows(target: Target, page: int, per_page: int | None) -> None:
    """List the project's workflows, with the number of their instances."""
    with opened(target) as api:
        found: list[CountedWorkflow] = api.ask("GET", query=_page_query(page, per_page)).result
    if target.as_json:
        show_json(found)
    elif found:
        rows = [
            (entry["name"], _counts(entry), entry["class_name"], entry["script_name"])
            for entry in found
        ]
        show_table(("Name", "Instances", "Class name", "Script name"), rows)
    elif page > 1:
        say(f"There are no workflows on page {page}.")
    else:
        say("The project has no workflows: its configuration has no [[workflows]].")


@click.command("describe")
@click.argument("name")
@workflow_options
def describe_workflow(target: Target, name: str) -> None:
    """Show a workflow, with the number of its instances by status."""
    with opened(target) as api, explained(api, name):
        found: CountedWorkflow = api.ask("GET", name).result
    if target.as_json:
        show_json(found)
        return
    ink = Ink.on(sys.stdout)
    facts = [("Class", found["class_name"]), ("Script", found["script_name"])]
    if found["triggered_on"]:
        triggered_ms = parse_iso(found["triggered_on"])
        ago = span(SystemClock().now_ms() - triggered_ms)
        facts.append(("Triggered", f"{moment(triggered_ms)} ({ago} ago)"))
    for schedule in found.get("schedules", []):
        due = moment(parse_iso(schedule["next_instance"]))
        facts.append(("Schedule", f"{schedule['cron']}, next at {due}"))
    facts.append(("Instances", str(sum(found["instances"].values()))))
    show_drawn(ink(Colour.BOLD, printable(name)))
    show_drawn("\n".join(["", *labelled(facts, ink, _width())]))
    width = max(len(status) for status in STATUSES) + 2
    for status in STATUSES:
        if number := found["instances"].get(status):
            space = " " * (width - len(status))
            show_drawn(f"    {marked(status, ink)}{space}{number}")


@click.command("list")
@click.argument("name")
@click.option("--status", type=click.Choice(STATUSES), help="Only those with this status.")
@click.option("--date-start", help="Only those created at this time or later (ISO 8601).")
@click.option(
    "--date-end", help="Only those created by then (ISO 8601; a date means the whole day)."
)
@click.option("--reverse", is_flag=True, help="Reverse the page: oldest first.")
@_paged
@workflow_options
def list_instances(
    target: Target,
    name: str,
    status: str | None,
    date_start: str | None,
    date_end: str | None,
    reverse: bool,
    page: int,
    per_page: int | None,
) -> None:
    """List the instances of a workflow, newest first."""
    query = _page_query(page, per_page) | _date_query(date_start, date_end)
    if status is not None:
        query["status"] = status
    with opened(target) as api, explained(api, name):
        answer = api.ask("GET", name, "instances", query=query)
    found = list(reversed(answer.result)) if reverse else answer.result
    if target.as_json:
        show_json(found)
        return
    if found:
        show_table(
            ("Instance ID", "Status", "Created", "Took", "Trigger"),
            [_instance_row(instance) for instance in found],
        )
    say(_told(name, cast(PageInfo, answer.info), bool(query.keys() - {"page", "per_page"})))


def _page_query(page: int, per_page: int | None) -> dict[str, str]:
    query = {"page": str(page)}
    if per_page is not None:
        query["per_page"] = str(per_page)
    return query


def _date_query(start: str | None, end: str | None) -> dict[str, str]:
    """Return the bounds for the API; a last day without a time includes the whole day."""
    query = {}
    if start is not None:
        query["date_start"] = _instant(start, "--date-start").isoformat()
    if end is not None:
        instant = _instant(end, "--date-end")
        if len(end) <= len("2026-01-31"):
            instant = instant.replace(hour=23, minute=59, second=59, microsecond=999_000)
        query["date_end"] = instant.isoformat()
    if start is not None and end is not None and query["date_start"] > query["date_end"]:
        raise UsageError(f"--date-start {start} is after --date-end {end}.")
    return query


def _instant(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f'{option} is "{text}"; expected an ISO 8601 date or time, for example 2026-01-31 or'
            " 2026-01-31T13:00:00Z."
        ) from None


def _counts(workflow: CountedWorkflow) -> str:
    counts = workflow["instances"]
    return ", ".join(f"{counts[s]} {s}" for s in STATUSES if counts.get(s)) or "none"


def _instance_row(instance: ListedInstance) -> tuple[str, str, str, str, str]:
    sign, _ = mark(instance["status"])
    started, ended = instance["started_on"], instance["ended_on"]
    took = span(parse_iso(ended) - parse_iso(started)) if started and ended else ""
    return (
        instance["id"],
        f"{sign} {instance['status']}",
        moment(parse_iso(instance["created_on"])),
        took,
        instance["trigger_source"],
    )


def _told(name: str, info: PageInfo, is_filtered: bool) -> str:
    if info["count"]:
        pages = f" (page {info['page']} of {info['total_pages']})"
        return f"{info['count']} of {counted(info['total_count'], 'instance')}" + (
            pages if info["total_pages"] > 1 else ""
        )
    if info["total_count"]:
        return f"Page {info['page']} is empty; the last page is {info['total_pages']}."
    if is_filtered:
        return f'No instances of workflow "{name}" match.'
    return (
        f'There are no instances in workflow "{name}".'
        f" Create one with `groundfog workflows trigger {name}`."
    )


def show_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; if it is too wide for the terminal, the last columns are left out."""
    ink = Ink.on(sys.stdout)
    kept = len(header)
    drawn = draw_table(header, rows, _ID_MAX)
    if sys.stdout.isatty():
        while kept > _COLUMNS_MIN and len(drawn.partition("\n")[0]) > _width():
            kept -= 1
            drawn = draw_table(header[:kept], [row[:kept] for row in rows], _ID_MAX)
    for status in STATUSES:
        sign, _ = mark(status)
        drawn = drawn.replace(f"│ {sign} {status} ", f"│ {marked(status, ink)} ")
    show_drawn(drawn)


def _width() -> int:
    return size_of(sys.stdout).columns
