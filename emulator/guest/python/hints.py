"""What a person is told below the traceback of a frequent mistake. User code never sees it."""

from __future__ import annotations

import re

from .env import _EnvWrapper
from .nearest import nearest

# Of calls of `step` as in TypeScript: what Python says of them, and how they are written here.
_STEP_CALLS = (
    (
        re.compile(r"\.do\(\) takes .* positional arguments? but \d+ were given"),
        'in Python a step is a decorated function: @step.do("name") above async def …',
    ),
    (
        re.compile("object function can't be used in 'await' expression"),
        'if it is a step: write @step.do("name") above async def name(), and await name()',
    ),
    (
        re.compile(r"\.sleep\(\) missing 1 required positional argument: 'duration'"),
        'the name of the step comes first: await step.sleep("wait", "5 minutes")',
    ),
    (
        re.compile(r"\.wait_for_event\(\) missing 1 required positional argument: 'event_type'"),
        'the name of the step comes first: await step.wait_for_event("wait", "event-type")',
    ),
)


elsewhere: dict[str, str] = {}  # names that other environments have, and where


def hint(error: BaseException) -> str:
    """Return a line that helps with `error`, or ""."""
    match error:
        case AttributeError(obj=_EnvWrapper() as env, name=str(name)):
            return _of_env(env, name)
        case TypeError():
            text = str(error)
            return next((said for pattern, said in _STEP_CALLS if pattern.search(text)), "")
    return ""


def _of_env(env: _EnvWrapper, name: str) -> str:
    names = sorted(vars(env))
    if place := elsewhere.get(name):
        has = ", ".join(names) or "nothing"
        return f"env has {has} here; {name} is configured in {place}, and not inherited"
    if not names:
        return f"env has no bindings and no variables; {name} is not in this configuration"
    close = nearest(name, names)
    meant = f"; did you mean env.{close}?" if close else ""
    return f"env has {', '.join(names)}{meant}"
