"""The latest instances of a worker's workflows, as a table for a running server's terminal."""

from __future__ import annotations

import sys

from emulator.cli.cells import printable
from emulator.cli.output import size_of
from emulator.cli.table import draw_table
from emulator.cli.workflows.drawing.marks import mark
from emulator.cli.workflows.drawing.spans import moment
from emulator.engine.journal.lists import Filter, Slice, page, recorded_workflows
from emulator.words import counted
from emulator.worker import Worker

SHOWN_MAX = 15


def latest_instances(worker: Worker) -> str:
    """Return the table, newest first, with a line below it. Raises StateError."""
    journal = worker.engine.journal
    names = recorded_workflows(journal)
    found = [
        (name, each) for name in names for each in page(journal, Filter(name), Slice(SHOWN_MAX + 1))
    ]
    if not found:
        return f"{worker.config.name} has no instances of workflows."
    found.sort(key=lambda pair: pair[1].key, reverse=True)
    rows = [
        (name, each.id, f"{mark(each.status)[0]} {each.status}", moment(each.created_ms))
        for name, each in found[:SHOWN_MAX]
    ]
    header = ("Workflow", "Instance ID", "Status", "Created")
    drawn = draw_table(header, rows)
    if len(drawn.partition("\n")[0]) > size_of(sys.stdout).columns:
        drawn = draw_table(header[:-1], [row[:-1] for row in rows])
    more = " More: groundfog workflows instances list NAME." if len(found) > SHOWN_MAX else ""
    shown = counted(len(rows), "instance")
    example = f"groundfog workflows instances describe {printable(rows[0][0])} latest"
    return f"{drawn}\n{shown} of {printable(worker.config.name)}; steps: {example}.{more}"
