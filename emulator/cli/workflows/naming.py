"""The names on a command line: `latest`, and errors for names that do not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager

from emulator.answers.workflows import InstanceDetail, ListedInstance, NamedWorkflow
from emulator.cli.cells import printable
from emulator.cli.workflows.api import Api, Refused
from emulator.errors import UsageError

LATEST = "latest"
# The API's names for the types of --from-step-type.
_KINDS = {"step": "do", "sleep": "sleep", "waitForEvent": "waitForEvent"}
_NAMES_SHOWN = 10
_NO_SUCH_STEP = "not found in execution history"


def find_instance(api: Api, workflow: str, instance: str) -> str:
    """Return the id for `instance`; `latest` means the newest instance. Raises UsageError."""
    if instance != LATEST:
        return instance
    with explained(api, workflow):
        newest: list[ListedInstance] = api.ask(
            "GET", workflow, "instances", query={"per_page": "1"}
        ).result
    if not newest:
        raise UsageError(
            f'There are no instances in workflow "{workflow}".\n'
            f"  Create one with `groundfog workflows trigger {workflow}`."
        )
    return newest[0]["id"]


@contextmanager
def explained(api: Api, workflow: str, instance: str = "") -> Iterator[None]:
    """Turn "not found" into an error that says which name is wrong, and which names exist."""
    try:
        yield
    except Refused as error:
        if not error.is_missing:
            raise
        known = [entry["name"] for entry in _workflows(api)]
        if workflow not in known:
            raise UsageError(no_such_workflow(workflow, known)) from None
        if not instance:
            raise
        raise UsageError(
            f'There is no instance "{instance}" in workflow "{workflow}".\n'
            f"  `groundfog workflows instances list {workflow}` shows all instances."
        ) from None


@contextmanager
def step_explained(api: Api, workflow: str, instance: str, step: str) -> Iterator[None]:
    """Turn the refusal of a step that has not begun into an error that names the begun steps."""
    try:
        yield
    except Refused as error:
        if not step or _NO_SUCH_STEP not in str(error):
            raise
        told: InstanceDetail = api.ask("GET", workflow, "instances", instance).result
        steps = [each for each in told["steps"] if each["type"] in _KINDS]
        known = list(dict.fromkeys(each["name"].rpartition("-")[0] for each in steps))
        if step in known:  # but not with this count and type
            alike = [each for each in steps if each["name"].rpartition("-")[0] == step]
            has = [f"{_KINDS[each['type']]} {each['name'].rpartition('-')[2]}" for each in alike]
            raise UsageError(
                f"{error} with that type and count.\n  It has: {_listed(has)}."
            ) from None
        near = difflib.get_close_matches(step, known, n=1)
        if near:
            raise UsageError(f'{error}. Did you mean "{near[0]}"?') from None
        raise UsageError(f"{error}.\n  It has: {_listed(known) or 'no steps yet'}.") from None


def no_such_workflow(name: str, known: list[str]) -> str:
    """Return the message about a workflow that is not configured."""
    if not known:
        return (
            f'There is no workflow "{name}": the configuration has no [[workflows]] here.\n'
            "  If another environment has it, start the server with that --env. Instances are kept."
        )
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f'There is no workflow "{name}". Did you mean "{near[0]}"?'
    return f'There is no workflow "{name}".\n  The project has: {_listed(known)}.'


def _listed(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _workflows(api: Api) -> list[NamedWorkflow]:
    result: list[NamedWorkflow] = api.ask("GET", query={"per_page": "100"}).result
    return result
