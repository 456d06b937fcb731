"""Draws an instance: its name, status, times, params, result and timeline. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emulator.answers.workflows import InstanceDetail
from emulator.cli.cells import columns, printable, wrap
from emulator.cli.ink import Colour, Ink
from emulator.cli.workflows.drawing.marks import marked
from emulator.cli.workflows.drawing.spans import moment, parse_iso, span
from emulator.cli.workflows.drawing.steps import error_text, rows_of
from emulator.cli.workflows.drawing.timeline import Page, draw, value_lines
from emulator.cli.workflows.drawing.tracebacks import traceback_lines

_LABEL = 11
_INDENT = 2
_QUEUED_LONG_MS = 1_000  # a longer time in the queue gets a line


def instance_page(
    workflow: str, instance: str, detail: InstanceDetail, page: Page, live: bool
) -> str:
    """Return everything about an instance, as text."""
    queued_ms = parse_iso(detail["queued"]) if detail["queued"] else page.now_ms
    rows = rows_of(detail, page.now_ms, live)
    lines = [*title(workflow, instance, detail, page), "", *_facts(detail, queued_ms, page)]
    if rows:
        finished = sum(row.end_ms is not None for row in rows)
        count = f"{len(rows)}" if finished == len(rows) else f"{finished} of {len(rows)} done"
        lines += ["", page.ink(Colour.BOLD, "Steps") + f"  {count}", ""]
        lines += draw(rows, queued_ms, page)
    elif detail.get("step_count", 0) == 0:
        lines += ["", page.ink(Colour.DIM, "No step has begun.")]
    lines += traceback_lines(detail, page.ink)
    return "\n".join(lines)


def title(workflow: str, instance: str, detail: InstanceDetail, page: Page) -> list[str]:
    """Return `["flow / order-17  ✓ complete in 5.31 s"]`, or two lines if one is too narrow."""
    name = printable(f"{workflow} / {instance}")
    status = detail["status"]
    lasted = ""  # not for how long it has been waiting or paused
    if detail["start"] and detail["end"]:
        lasted = f" in {span(parse_iso(detail['end']) - parse_iso(detail['start']))}"
    elif detail["start"] and status == "running":
        lasted = f" for {span(page.now_ms - parse_iso(detail['start']))}"
    shown = marked(status, page.ink) + lasted
    bold = page.ink(Colour.BOLD, name)
    is_wide = columns(name) + 2 + 2 + len(status + lasted) > page.width
    return [bold, shown] if is_wide else [f"{bold}  {shown}"]


def labelled(facts: Iterable[tuple[str, str]], ink: Ink, width: int) -> Iterator[str]:
    """Yield `"  Label     value"`; a long value continues below itself."""
    indent = _INDENT + _LABEL
    for label, value in facts:
        lines = [printable(line) for line in value.splitlines()] or [""]
        parts = [part for line in lines for part in wrap(line, width - indent)]
        head = " " * _INDENT + ink(Colour.DIM, f"{label:<{_LABEL}}")
        for part in parts:
            yield head + part
            head = " " * indent


def _facts(detail: InstanceDetail, queued_ms: int, page: Page) -> Iterator[str]:
    room = page.width - _INDENT - _LABEL
    ago = f"({span(page.now_ms - queued_ms)} ago)"
    cron = detail["schedule"]["cron"] if detail.get("schedule") else ""
    by = f"{detail['trigger']['source']} {cron}" if cron else detail["trigger"]["source"]
    facts = [("Created", f"{moment(queued_ms)} {ago}, by {by}")]
    if detail["start"]:
        waited_ms = parse_iso(detail["start"]) - queued_ms
        if waited_ms >= _QUEUED_LONG_MS:
            facts.append(("Queued", f"for {span(waited_ms)}"))
    if detail["end"]:
        facts.append(("Ended", moment(parse_iso(detail["end"]))))
    facts.append(("Params", "\n".join(value_lines(detail["params"], room, page.output_limit))))
    if detail["status"] == "complete":
        limit = page.output_limit
        facts.append(("Output", "\n".join(value_lines(detail["output"], room, limit))))
    if "held" in detail:
        lines = [*detail["held"]["found"], "Undo the edit, or resume with --accept or --rename."]
        facts.append(("Held", "\n".join(lines)))
    yield from labelled(facts, page.ink, page.width)
    rollback = detail.get("rollback")
    if rollback:
        told = ("\n" + error_text(rollback["error"])) if rollback["error"] else ""
        yield from labelled([("Rollback", rollback["outcome"] + told)], page.ink, page.width)
    if detail["error"]:
        text = [("Error", error_text(detail["error"]))]
        for line in labelled(text, Ink(False), page.width):
            yield page.ink(Colour.RED, line)
