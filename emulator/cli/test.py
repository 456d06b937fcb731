"""`groundfog test new`: writes a test from what happened, and makes sure that it passes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from emulator.answers.workflows import HistoryDocument
from emulator.cli.happened import Answered, Happened, instance_test, request_test
from emulator.cli.lazy import Group
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import say, show
from emulator.cli.workflows.access import opened
from emulator.cli.workflows.api import OWN
from emulator.cli.workflows.naming import explained, find_instance
from emulator.cli.workflows.options import Target
from emulator.cli.workflows.payload import read_payload
from emulator.config.model import Config
from emulator.engine.model.instance import Instance, Status
from emulator.engine.views.export import parse_history
from emulator.errors import EmulatorError, UsageError
from emulator.kinds.workflow import Workflow

if TYPE_CHECKING:
    from groundfog.testing import WaitContext, Worker

_ENDED = (Status.COMPLETE, Status.ERRORED)


@click.group(cls=Group)
def test() -> None:
    """Write tests for pytest."""


@test.command("new")
@click.argument("what")
@click.argument("id", default="latest")
@click.option("--json", "sent", help="The body of the request, JSON.")
@click.option("--output", "-o", help="The file to write, - prints it [tests/test_….py].")
@project_options
def new(options: ProjectOptions, what: str, id: str, sent: str | None, output: str | None) -> None:
    """Write a test from what happened. It is run once before, so it passes as written.

    WHAT is the name of a workflow, and ID one of its instances that has ended: params, events and
    what it came to. Steps that come to something else on fresh state and without a network get
    their recorded results. Or WHAT is a request, "GET /orders", which is sent to the worker with
    fresh state.
    """
    from groundfog.testing.errors import GroundfogError

    config = load_project(options, runs_code=True)
    method, _, path = what.partition(" ")
    try:
        if path.startswith("/"):
            text, name = _of_request(config, options, method.upper(), path, sent), what
        else:
            instance = _instance(options, what, id)
            text, name = _of_instance(config, options, instance), f"{what}_{instance.id}"
    except GroundfogError as error:
        raise EmulatorError(str(error)) from None
    if output == "-":
        show(text.rstrip())
        return
    file = config.project_dir / (output or f"tests/test_{_file_name(name)}.py")
    if file.exists():
        raise UsageError(f"{file} exists already. Name another file with --output.")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    say(f"Run it: pytest {shlex.quote(str(file.relative_to(config.project_dir)))}")
    show(str(file))


def _file_name(text: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _instance(options: ProjectOptions, workflow: str, id: str) -> Instance:
    """Return an instance that has ended. Raises UsageError."""
    with opened(Target(options, None, True)) as api:
        found = find_instance(api, workflow, id)
        with explained(api, workflow, found):
            path = (workflow, "instances", found, "export")
            document: HistoryDocument = api.ask("GET", *path, base=OWN).result
    instance = parse_history(json.dumps(document), found)
    if instance.status not in _ENDED:
        raise UsageError(
            f"{workflow} / {found} is {instance.status}; a test asserts what an instance came to,"
            " so it must be complete or errored."
        )
    return instance


def _of_instance(config: Config, options: ProjectOptions, instance: Instance) -> str:
    """Return the source of a test that passes. Raises UsageError when there is none."""
    happened = Happened.of(instance)
    bound = {each.record.name: each.name for each in config.bound(Workflow)}
    binding = bound[happened.workflow]
    mocked: list[tuple[str, int]] = []
    command = f"groundfog test new {happened.workflow} {happened.id}"
    with _worker(config, options) as worker:
        while True:
            again = _again(worker, binding, happened, mocked)
            differing = _differing(happened, again, mocked)
            if differing is None:
                return instance_test(happened, binding, mocked, _WHY, command)
            if differing in mocked:
                raise UsageError(
                    f"{happened.workflow} / {happened.id} does not come to the same again, though"
                    " all its steps get their recorded results: what it returns depends on what"
                    " is not recorded. `groundfog workflows fuzz` may show on what."
                )
            mocked.append(differing)
            worker.reset()


_WHY = "Without a network, and on fresh state, these come to something else."


def _differing(
    happened: Happened, again: Happened, mocked: list[tuple[str, int]]
) -> tuple[str, int] | None:
    """Return the first step that came to something else and is not mocked; None: it is the same.

    One that is mocked already: nothing is left to be mocked.
    """
    if (again.output, again.error) == (happened.output, happened.error):
        return None
    recorded: dict[tuple[str, int], Any] = {**happened.results, **happened.failed}
    found = {**again.results, **again.failed}
    for step, value in recorded.items():
        if step not in mocked and (step not in found or found[step] != value):
            return step
    left = [step for step in recorded if step not in mocked]
    return left[0] if left else next(iter(recorded), ("", 0))


def _again(
    worker: Worker, binding: str, happened: Happened, mocked: list[tuple[str, int]]
) -> Happened:
    """Do the same on fresh state, as the written test will; return what happened then."""
    from groundfog.testing.errors import WorkflowFailed

    workflow = worker.introspect_workflow(binding)
    for name, count in mocked:
        if (name, count) in happened.failed:
            error, message = happened.failed[name, count]
            workflow.mock_step_error((name, count), type(error, (Exception,), {})(message))
        else:
            workflow.mock_step_result((name, count), happened.results[name, count])
    for event, payloads in happened.payloads.items():
        workflow.on_wait(event, partial(_next, iter(payloads)))
    for step in happened.timeouts:
        workflow.force_event_timeout(step)
    params = {} if happened.params is None else {"params": happened.params}
    getattr(worker.env, binding).create({"id": happened.id, **params})
    instance = worker.introspect_workflow_instance(binding, happened.id)
    try:
        instance.result()
    except WorkflowFailed:
        pass
    return Happened.of(parse_history(json.dumps(instance.history()), happened.id))


def _next(payloads: Iterator[Any], wait: WaitContext) -> Any:
    return next(payloads)


def _of_request(
    config: Config, options: ProjectOptions, method: str, path: str, sent: str | None
) -> str:
    body = None if sent is None else read_payload(sent, "--json")
    with _worker(config, options) as worker:
        given: dict[str, Any] = {} if body is None else {"json": body}
        response = worker.fetch(path, method=method, raise_worker_errors=False, **given)
    is_json = "json" in (response.headers["content-type"] or "")
    told = response.json() if is_json else response.text
    answered = Answered(method, path, body, response.status_code, told, is_json)
    return request_test(answered, f"groundfog test new '{method} {path}'")


@contextmanager
def _worker(config: Config, options: ProjectOptions) -> Iterator[Worker]:
    """Open the worker with fresh state, as the written test will."""
    from groundfog.testing import Groundfog

    about = {"config": config.path, "environment": options.environment}
    with Groundfog() as groundfog, groundfog.worker(config.path.parent, **about) as worker:
        yield worker
