"""`groundfog cron`: lists the cron triggers, and calls `scheduled` by hand."""

from __future__ import annotations

import sys
from http.client import HTTPConnection
from urllib.parse import urlencode

import click

from emulator.cli.lazy import Group
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import say, show, show_json
from emulator.cli.table import draw_table
from emulator.clock import SystemClock
from emulator.cron import Cron
from emulator.engine.model.plain import iso
from emulator.errors import UsageError
from emulator.kinds.cron import CronTrigger, fires
from emulator.state import State
from emulator.worker import open_clock

PATH = "/cdn-cgi/local/scheduled"
TIMEOUT_S = 20 * 60  # a handler may take 15 minutes


@click.group(cls=Group)
def cron() -> None:
    """List the worker's cron triggers, and call them by hand."""


@cron.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def list_triggers(options: ProjectOptions, as_json: bool) -> None:
    """Print each cron expression and when it fires next."""
    config = load_project(options)
    state = State.locate(config, options.persist_to)
    now_ms = open_clock(config, state, SystemClock()).now_ms()
    found = []
    for bound in config.bound(CronTrigger):
        next_ms = Cron.parse(bound.record.cron).next_after_ms(now_ms)
        found.append({"cron": bound.record.cron, "next": next_ms and iso(next_ms)})
    if as_json:
        show_json(found)
        return
    if found:
        show(draw_table(("cron", "next"), [(each["cron"], each["next"]) for each in found]))
    if not found:
        say("The configuration has no triggers.crons.")
    elif not fires(config):
        say("They do not fire by themselves: groundfog.toml has [cron] fire = false.")


@cron.command("run")
@click.argument("expression", required=False)
@click.option("--time", "time_ms", type=int, help="The scheduled time, in ms since 1970 [now].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def run(
    options: ProjectOptions, expression: str | None, time_ms: int | None, as_json: bool
) -> None:
    """Call the handler of the running server once, as if EXPRESSION fired.

    Without EXPRESSION it is the first one of the configuration. The exit code is 1 if it raises.
    """
    config = load_project(options)
    server = State.locate(config, options.persist_to).running_server()
    if server is None:
        raise UsageError("No server runs on this project. Start one with `groundfog dev`.")
    crons = [bound.record.cron for bound in config.bound(CronTrigger)]
    asked = {"cron": expression or (crons[0] if crons else "")}
    if time_ms is not None:
        asked["time"] = str(time_ms)
    if as_json:
        asked["format"] = "json"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.ip, server.ip)
    connection = HTTPConnection(host, server.port, timeout=TIMEOUT_S)
    headers = {"authorization": f"Bearer {server.token}"}
    connection.request("POST", f"{PATH}?{urlencode(asked)}", headers=headers)
    answer = connection.getresponse()
    show(answer.read().decode("utf-8", "replace"))
    connection.close()
    if answer.status != 200:
        sys.exit(1)
