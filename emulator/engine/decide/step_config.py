"""The configuration of a step: checked, and completed with the defaults. Pure.

Source: docs/platform/workflows.md, "Step configuration".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from emulator.durations import InvalidDuration, parse_duration_ms
from emulator.engine.model.step_entries import StepConfig
from emulator.json_types import Json

if TYPE_CHECKING:
    from emulator.engine.model.entry_json import ConfigJson

DEFAULT_LIMIT = 5
DEFAULT_DELAY_MS = 10_000
DEFAULT_BACKOFF = "exponential"
DEFAULT_TIMEOUT = "10 minutes"
BACKOFFS = ("constant", "linear", "exponential")
# The most retries of a step, and the longest sleep.
# Source: docs/platform/workflows.md, "Limits".
RETRIES_MAX = 10_000
LONGEST_WAIT_MS = 365 * 86_400_000
FUNCTION = {"$function": 1}  # what a guest writes for a `delay` that is a function
DYNAMIC = "[dynamic]"  # how it is recorded and shown


class InvalidStepConfig(ValueError):
    """The step configuration breaks a rule; the message says which."""


def resolve_config(given: Json) -> StepConfig:
    """Return a step's full configuration: the given one, completed with the defaults.

    `{"timeout": "1 minute"}` -> `{"retries": {"limit": 5, "delay": 10000, "backoff":
    "exponential"}, "timeout": "1 minute"}`, 60000 and 10000.
    If `retries` is given, it needs both `limit` and `delay`, as in production.
    Raises InvalidStepConfig.
    """
    given = _record("config", {} if given is None else given, {"retries", "timeout", "sensitive"})
    retries: dict[str, Json] = {
        "limit": DEFAULT_LIMIT,
        "delay": DEFAULT_DELAY_MS,
        "backoff": DEFAULT_BACKOFF,
    }
    if given.get("retries") is not None:
        retries |= _retries(given["retries"])
    timeout = DEFAULT_TIMEOUT if given.get("timeout") is None else given["timeout"]
    timeout_ms = _span("timeout", timeout)
    if timeout_ms == 0:
        raise InvalidStepConfig(f"timeout is {timeout!r}; expected more than 0")
    resolved: dict[str, Json] = {"retries": retries, "timeout": timeout}
    delay_ms: int | None = None
    if retries["delay"] == FUNCTION:
        retries["delay"] = DYNAMIC
    else:
        delay_ms = _span("retries.delay", retries["delay"])
    if given.get("sensitive") is not None:
        if given["sensitive"] != "output":
            raise InvalidStepConfig(f'sensitive is {given["sensitive"]!r}; expected "output"')
        resolved["sensitive"] = "output"
    return StepConfig(cast("ConfigJson", resolved), timeout_ms, delay_ms)


def resolve_rollback_config(given: Json) -> StepConfig:
    """Return the full configuration of a rollback handler. Raises InvalidStepConfig."""
    try:
        if isinstance(given, dict) and "sensitive" in given:
            raise InvalidStepConfig("sensitive is not for rollbacks; expected retries, timeout")
        resolved = resolve_config(given)
        if resolved.delay_ms is None:
            raise InvalidStepConfig("retries.delay is a function; expected a duration")
        return resolved
    except InvalidStepConfig as error:
        raise InvalidStepConfig(f"rollback: {error}") from None


def _retries(given: Json) -> dict[str, Json]:
    retries = _record("retries", given, {"limit", "delay", "backoff"})
    for key in ("limit", "delay"):
        if retries.get(key) is None:
            raise InvalidStepConfig(f"retries.{key} is missing; limit and delay are both required")
    limit = retries["limit"]
    if isinstance(limit, dict) and limit.get("$number") == "Infinity":
        limit = retries["limit"] = RETRIES_MAX
    if isinstance(limit, bool) or not isinstance(limit, int | float) or math.isnan(limit):
        raise InvalidStepConfig(f"retries.limit is {limit!r}; expected a number of retries")
    if not 0 <= limit <= RETRIES_MAX:
        raise InvalidStepConfig(f"retries.limit is {limit}; expected 0 to {RETRIES_MAX}")
    backoff = retries.get("backoff")
    if backoff is None:
        retries.pop("backoff", None)
    elif backoff not in BACKOFFS:
        raise InvalidStepConfig(
            f'retries.backoff is {backoff!r}; expected "constant", "linear" or "exponential"'
        )
    return retries


def _record(name: str, given: Json, known: set[str]) -> dict[str, Json]:
    if not isinstance(given, dict):
        raise InvalidStepConfig(f"{name} is {given!r}; expected an object")
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidStepConfig(
            f"{name} has no key {unknown[0]!r}; expected {', '.join(sorted(known))}"
        )
    return dict(given)


def _span(name: str, value: Json) -> int:
    try:
        span_ms = parse_duration_ms(value)
    except InvalidDuration as error:
        raise InvalidStepConfig(f"{name} is {error}") from None
    if span_ms > LONGEST_WAIT_MS:
        raise InvalidStepConfig(f"{name} is {value!r}; expected 365 days at the most")
    return span_ms


def shown_config(config: ConfigJson) -> dict[str, Json]:
    """Return a configuration for `ctx.config`: without a delay that is a function."""
    retries = config["retries"]
    if retries["delay"] != DYNAMIC:
        return config  # type: ignore[return-value]  # a typed dict is a dict
    shown = {key: value for key, value in retries.items() if key != "delay"}
    return {**config, "retries": shown}  # type: ignore[dict-item]
