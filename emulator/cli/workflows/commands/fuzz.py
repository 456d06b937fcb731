"""`groundfog workflows fuzz`: one instance again and again, with crashes and in other orders."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from emulator.cli.cells import printable_lines
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import say, show
from emulator.cli.workflows.payload import read_payload
from emulator.config.model import Config
from emulator.errors import EmulatorError, UsageError
from emulator.kinds.workflow import Workflow
from emulator.words import counted

if TYPE_CHECKING:
    from groundfog.testing import Worker

_ID = "fuzz"
_ONLY = "--only"


@click.command("fuzz")
@click.argument("name")
@click.argument("params", default="")
@click.option("--event", "events", multiple=True, help="TYPE=JSON: answers waits for this event.")
@click.option(
    "--respond", "answers", multiple=True, help="URL=JSON: answers requests; * is a part."
)
@click.option("--points", type=click.IntRange(1), help="So many places for a crash [all].")
@click.option("--orders", type=click.IntRange(0), default=20, help="So many other orders [20].")
@click.option("--no-twice", is_flag=True, help="Execute no callback twice.")
@click.option("--ignore", multiple=True, help="Part of a name that is not compared: a table.")
@click.option("--seed", default="0", help="Other points and orders are chosen for each [0].")
@click.option(_ONLY, "only", default="", help="One of them again: commit:3, order:0.1, replay.")
@project_options
def fuzz(
    options: ProjectOptions,
    name: str,
    params: str,
    events: tuple[str, ...],
    answers: tuple[str, ...],
    points: int | None,
    orders: int,
    no_twice: bool,
    ignore: tuple[str, ...],
    seed: str,
    only: str,
) -> None:
    """Run an instance of the workflow NAME with PARAMS (JSON) again and again, on fresh state.

    Its process is killed after each entry of the journal in turn, callbacks are executed twice, and
    what is under way at the same time ends in other orders. Output, D1, KV, R2, messages and
    requests must be the same each time. The exit code is 1 if anything differs.
    """
    from groundfog.testing import Groundfog, Worker
    from groundfog.testing.errors import CrashFound, GroundfogError
    from groundfog.testing.surviving import Survival, Wanted

    config = load_project(options, runs_code=True)
    binding = _binding(config, name)
    given = read_payload(params, "PARAMS") if params else None
    wanted = Wanted(points or "all", not no_twice, orders, ignore, seed)
    about = {"project": config.path.parent, "config": config.path}
    try:
        with Groundfog() as groundfog:
            opened = groundfog.open({**about, "environment": options.environment})
            opened.need_python("groundfog workflows fuzz")
            worker, ask = Worker(opened), partial(opened.link.ask, opened.number)
            _declare(worker, binding, events, answers)
            ask("checkpoint")
            run = partial(_run, worker, binding, given)
            survival = Survival(ask, run, wanted, _again, only, "workflow")
            run()
            for refused in dict.fromkeys(ask("outbound.judged")["unexpected"]):
                what = refused.partition(", and no rule")[0]
                say(f"{what}, and nothing answers it: --respond URL=JSON")
            survival.go_on()
    except CrashFound as found:
        show(printable_lines(str(found)))
        sys.exit(1)
    except GroundfogError as error:
        raise EmulatorError(str(error)) from None
    show(f"{counted(survival.runs + 1, 'run')}: the same each time")


def _binding(config: Config, name: str) -> str:
    """Return the binding of a workflow. Raises UsageError when there is none of this name."""
    bound = {each.record.name: each.name for each in config.bound(Workflow)}
    found = bound.get(name) or (name if name in bound.values() else "")
    if not found:
        names = ", ".join(sorted(bound)) or "none"
        raise UsageError(f'{config.path.name} has no workflow named "{name}". There are: {names}.')
    return found


def _declare(
    worker: Worker, binding: str, events: tuple[str, ...], answers: tuple[str, ...]
) -> None:
    workflow = worker.introspect_workflow(binding)
    for type, payload in (_pair(each, "--event") for each in events):
        workflow.mock_event(type, payload)
    for url, answer in (_pair(each, "--respond") for each in answers):
        worker.outbound.route("", url).respond(json=answer)


def _pair(text: str, option: str) -> tuple[str, Any]:
    """Return name and value of `NAME=JSON`; an address may have `=` in its query."""
    name, equals, value = text.rpartition("=")
    if "{" in name or "[" in name:
        name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f'{option} is "{text}"; expected NAME=JSON, such as approved={{"by": 1}}')
    return name, read_payload(value, f"{option} {name}")


def _run(worker: Worker, binding: str, params: Any) -> None:
    """Let an instance end, in whatever way."""
    from groundfog.testing.errors import StuckError, WorkflowFailed

    given = {} if params is None else {"params": params}
    getattr(worker.env, binding).create({"id": _ID, **given})
    try:
        worker.introspect_workflow_instance(binding, _ID).result()
    except WorkflowFailed:
        pass  # an error is an outcome, too
    except StuckError as stuck:
        first = str(stuck).partition("\n  Send it")[0]
        raise UsageError(f"{first}\n  Answer such waits: --event TYPE=JSON") from None


def _again(name: str) -> str:
    """Return the command that was typed, for one of its runs."""
    typed = sys.argv[1:]
    if _ONLY in typed:
        place = typed.index(_ONLY)
        del typed[place : place + 2]
    return shlex.join(["groundfog", *typed, _ONLY, name])
