"""What is told below the traceback of a frequent mistake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from emulator.guest.python import hints
from emulator.guest.python.env import _EnvWrapper
from emulator.guest.python.runs.step import ImplicitStep, LegacyStep
from emulator.guest.python.tracebacks import format_error

STEP: Any = ImplicitStep(None, "", "")  # type: ignore[arg-type]
LEGACY: Any = LegacyStep(None, "", "")  # type: ignore[arg-type]
ENV: Any = _EnvWrapper({"ORDERS": 1, "USERS": 2})


async def awaited(value: Any) -> Any:
    return await value


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (lambda: ENV.USER, "env has ORDERS, USERS; did you mean env.USERS?"),
        (lambda: ENV.KV, "env has ORDERS, USERS"),
        (lambda: STEP.do("charge", lambda: 1), "a step is a decorated function: @step.do"),
        (lambda: asyncio.run(awaited(LEGACY.do("charge", lambda: 1))), "write @step.do"),
        (lambda: STEP.sleep("5 minutes"), 'await step.sleep("wait", "5 minutes")'),
    ],
)
def test_a_frequent_mistake_is_answered_with_what_to_write(
    mistake: Callable[[], Any], told: str
) -> None:
    with pytest.raises(Exception) as raised:
        mistake()

    assert "Hint: " not in str(raised.value)  # user code sees what it sees deployed
    assert told in format_error(raised.value).splitlines()[-1]


@pytest.mark.parametrize("error", [AttributeError("x"), TypeError("no"), ValueError("no")])
def test_other_errors_are_told_without_a_hint(error: Exception) -> None:
    assert "Hint" not in format_error(error)


def test_a_name_of_another_environment_is_told_with_its_place() -> None:
    hints.elsewhere["DB"] = "wrangler.toml:9, at the top level"
    try:
        with pytest.raises(AttributeError) as raised:
            ENV.DB  # noqa: B018
        told = format_error(raised.value).splitlines()[-1]
    finally:
        hints.elsewhere.clear()

    assert told == (
        "Hint: env has ORDERS, USERS here; DB is configured in wrangler.toml:9, at the top level,"
        " and not inherited"
    )
