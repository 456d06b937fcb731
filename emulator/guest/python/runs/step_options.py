"""What user code gives with a step: its name, configuration, delays. Plain JSON, or a TypeError."""

from __future__ import annotations

from typing import Any

from ..sdk.jsproxy import plain
from ..sdk.jstext import js_text
from .rollbacks import Handler


def refuse_bare(name: Any) -> None:
    """Raise TypeError for `@step.do` without parentheses."""
    if callable(name):
        raise TypeError('step.do is used with parentheses: @step.do() or @step.do("name")')


def name_of(name: Any) -> str:
    """Return the name of a step: of a `(str, Enum)` member its contents."""
    if not isinstance(name, str):
        raise TypeError(f"a step name must be a str, not {name!r}")
    return str.__str__(name)


def do_options(
    name: str, config: Any, rollback: Handler | None, rollback_config: Any
) -> dict[str, Any]:
    """Return the options of a `do`, as StepBegin has them. Raises TypeError."""
    options = {}
    if config is not None:
        options["config"] = plain_json(config, f'step.do("{name}"): config')
    if rollback is not None:
        if not callable(rollback):
            raise TypeError(f'Rollback for "{name}" must be a function')
        options["rollback"] = plain_json(
            rollback_config or {}, f'step.do("{name}"): rollback_config'
        )
    elif rollback_config is not None:
        raise TypeError(f'step.do("{name}"): rollback_config is given, and rollback is not')
    return options


def delay_of(config: Any) -> Any:
    """Return `retries.delay` of a configuration that has it."""
    config = plain(config)
    retries = config.get("retries") if isinstance(config, dict) else None
    return retries.get("delay") if isinstance(retries, dict) else None


def plain_json(value: Any, what: str) -> Any:
    """Return `value` if it is plain JSON. Raises TypeError that says what it is."""
    value = plain(value)
    if what.endswith(": config.retries.delay") and callable(value):
        return {"$function": 1}
    match value:
        case str():
            return str.__str__(value)
        case None | bool() | int() | float():
            return value
        case dict() if not what.endswith(".delay"):
            named = ((js_text(key), item) for key, item in value.items())
            return {key: plain_json(item, f"{what}.{key}") for key, item in named}
        case list() | tuple():
            return [plain_json(item, what) for item in value]
    raise TypeError(
        f'{what} is {value!r}; expected milliseconds or "<number> <unit>", e.g. "5 minutes"'
        if "config" not in what or what.rpartition(".")[2] in ("delay", "timeout")
        else f"{what} is {value!r}; expected a plain number, string, dict or list"
    )
