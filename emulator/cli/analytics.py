"""`groundfog analytics`: the data points that the worker has written."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from bindings.analytics.analytics import Datasets, Point
from emulator.cli.lazy import Group
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import say, show, show_json
from emulator.cli.table import draw_table
from emulator.clock import SystemClock
from emulator.engine.model.plain import iso
from emulator.errors import UsageError
from emulator.kinds.analytics_engine import path
from emulator.state import State


@click.group(cls=Group)
def analytics() -> None:
    """Show the data points of Analytics Engine datasets."""


@analytics.command("points")
@click.argument("dataset")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def points(options: ProjectOptions, dataset: str, limit: int, as_json: bool) -> None:
    """Print the newest data points of DATASET, the newest first."""
    state = State.locate(load_project(options), options.persist_to)
    state.prepare()

    async def read() -> list[Point]:
        datasets = Datasets(path(state), SystemClock().now_ms, "FULL")
        try:
            return datasets.newest(dataset, limit)
        finally:
            await datasets.close()

    shown: list[dict[str, Any]] = [
        {
            "timestamp": iso(each.at_ms),
            "index": each.index,
            "blobs": each.blobs,
            "doubles": each.doubles,
        }
        for each in asyncio.run(read())
    ]
    if as_json:
        show_json(shown)
        return
    if shown:
        rows = [
            (
                each["timestamp"],
                each["index"],
                ", ".join(str(blob) for blob in each["blobs"]),
                ", ".join(f"{number:g}" for number in each["doubles"]),
            )
            for each in shown
        ]
        show(draw_table(("time", "index", "blobs", "doubles"), rows))
    else:
        say(f"No data point has been written to {dataset}.")


@analytics.command("query")
@click.argument("sql")
@project_options
def query(options: ProjectOptions, sql: str) -> None:
    """Run SQL on the data points, and print the rows as its FORMAT says, or as JSON."""
    from bindings.analytics.sql.formats import written
    from bindings.analytics.sql.tree import InvalidQuery

    state = State.locate(load_project(options), options.persist_to)
    state.prepare()

    async def ask() -> str:
        datasets = Datasets(path(state), SystemClock().now_ms, "FULL")
        try:
            return written(await datasets.query(sql))[0]
        finally:
            await datasets.close()

    try:
        show(asyncio.run(ask()).rstrip("\n"))
    except InvalidQuery as error:
        raise UsageError(f"The query cannot be run: {error}.") from None
