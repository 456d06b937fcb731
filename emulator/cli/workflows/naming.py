"""What the names on a command line mean: `latest`, and names that do not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager

from emulator.cli.workflows.access import Api, Refused
from emulator.errors import UsageError

LATEST = "latest"
_NAMES_SHOWN = 10


def find_instance(api: Api, workflow: str, instance: str) -> str:
    """Return the id that `instance` means; `latest` is the newest one's. Raises UsageError."""
    if instance != LATEST:
        return instance
    with explained(api, workflow):
        newest = api.ask("GET", workflow, "instances", query={"per_page": "1"}).result
    if not newest:
        raise UsageError(
            f'There are no instances in workflow "{workflow}".\n'
            f"  Create one with `groundfog workflows trigger {workflow}`."
        )
    return str(newest[0]["id"])


@contextmanager
def explained(api: Api, workflow: str, instance: str = "") -> Iterator[None]:
    """Turn "not found" into an error that says which of the names is wrong, and what there is."""
    try:
        yield
    except Refused as error:
        if not error.is_missing:
            raise
        known = [str(entry["name"]) for entry in _workflows(api)]
        if workflow not in known:
            raise UsageError(no_such_workflow(workflow, known)) from None
        if not instance:
            raise
        raise UsageError(
            f'There is no instance "{instance}" in workflow "{workflow}".\n'
            f"  `groundfog workflows instances list {workflow}` shows those there are."
        ) from None


def no_such_workflow(name: str, known: list[str]) -> str:
    """Return what to say about a workflow that is not configured."""
    if not known:
        return f'There is no workflow "{name}": the configuration has no [[workflows]].'
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f'There is no workflow "{name}". Did you mean "{near[0]}"?'
    shown = ", ".join(known[:_NAMES_SHOWN])
    more = f" and {len(known) - _NAMES_SHOWN} more" if len(known) > _NAMES_SHOWN else ""
    return f'There is no workflow "{name}".\n  The project has: {shown}{more}.'


def _workflows(api: Api) -> list[dict[str, object]]:
    result = api.ask("GET", query={"per_page": "100"}).result
    assert isinstance(result, list)
    return result
