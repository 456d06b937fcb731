"""The configuration of a step: defaults, limits, and how long the next attempt waits."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.engine.decide.retries import is_final, next_delay_ms
from emulator.engine.decide.step_config import (
    DYNAMIC,
    FUNCTION,
    InvalidStepConfig,
    resolve_config,
    resolve_rollback_config,
    shown_config,
)
from emulator.engine.model.entry_json import ConfigJson, RetriesJson
from emulator.engine.model.failure import ErrorInfo
from emulator.engine.model.step import Step, StepState
from emulator.engine.model.step_entries import StepConfig
from emulator.engine.model.step_key import step_key
from emulator.json_types import Json

YEAR_MS = 365 * 86_400_000
TIMEOUT, TIMEOUT_MS = "10 minutes", 600_000
RETRIES: RetriesJson = {"limit": 5, "delay": 10_000, "backoff": "exponential"}


@pytest.mark.parametrize("given", [None, {}, {"retries": None, "timeout": None, "sensitive": None}])
def test_what_is_not_given_has_a_default(given: Any) -> None:
    expected = StepConfig({"retries": RETRIES, "timeout": TIMEOUT}, TIMEOUT_MS, 10_000)

    assert resolve_config(given) == expected


@pytest.mark.parametrize(
    ("given", "expected", "delay_ms"),
    [
        ({"limit": 0, "delay": 0}, RETRIES | {"limit": 0, "delay": 0}, 0),
        ({"limit": 10_000, "delay": 1}, RETRIES | {"limit": 10_000, "delay": 1}, 1),
        (
            {"limit": 2.5, "delay": "2 seconds"},
            RETRIES | {"limit": 2.5, "delay": "2 seconds"},
            2_000,
        ),
        ({"limit": 1, "delay": 1, "backoff": None}, RETRIES | {"limit": 1, "delay": 1}, 1),
        (
            {"limit": 1, "delay": YEAR_MS, "backoff": "linear"},
            {"limit": 1, "delay": YEAR_MS, "backoff": "linear"},
            YEAR_MS,
        ),
        (
            {"limit": {"$number": "Infinity"}, "delay": 1, "backoff": "constant"},
            {"limit": 10_000, "delay": 1, "backoff": "constant"},
            1,
        ),
        ({"limit": 1, "delay": FUNCTION}, RETRIES | {"limit": 1, "delay": DYNAMIC}, None),
    ],
)
def test_retries_are_what_was_given(given: Any, expected: Any, delay_ms: int | None) -> None:
    before = dict(given)
    resolved = resolve_config({"retries": given})

    assert resolved == StepConfig({"retries": expected, "timeout": TIMEOUT}, TIMEOUT_MS, delay_ms)
    assert given == before


def test_timeout_and_sensitive_are_what_was_given() -> None:
    given: Json = {"timeout": "365 days", "sensitive": "output"}

    expected: ConfigJson = {"retries": RETRIES, "timeout": "365 days", "sensitive": "output"}
    assert resolve_config(given) == StepConfig(expected, YEAR_MS, 10_000)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([], "config is []; expected an object"),
        (
            {"z": 1, "b": 1, "timeout": 1},
            "config has no key 'b'; expected retries, sensitive, timeout",
        ),
        ({"retries": 3}, "retries is 3; expected an object"),
        ({"retries": {"x": 1}}, "retries has no key 'x'; expected backoff, delay, limit"),
        (
            {"retries": {"limit": 1}},
            "retries.delay is missing; limit and delay are both required",
        ),
        (
            {"retries": {"limit": True, "delay": 1}},
            "retries.limit is True; expected a number of retries",
        ),
        (
            {"retries": {"limit": float("nan"), "delay": 1}},
            "retries.limit is nan; expected a number of retries",
        ),
        (
            {"retries": {"limit": {"$number": "NaN"}, "delay": 1}},
            "retries.limit is {'$number': 'NaN'}; expected a number of retries",
        ),
        (
            {"retries": {"limit": 10_001, "delay": 1}},
            "retries.limit is 10001; expected 0 to 10000",
        ),
        (
            {"retries": {"limit": 1, "delay": 1, "backoff": "x"}},
            'retries.backoff is \'x\'; expected "constant", "linear" or "exponential"',
        ),
        (
            {"retries": {"limit": 1, "delay": YEAR_MS + 1}},
            f"retries.delay is {YEAR_MS + 1}; expected 365 days at the most",
        ),
        ({"timeout": "366 days"}, "timeout is '366 days'; expected 365 days at the most"),
        ({"timeout": "0 seconds"}, "timeout is '0 seconds'; expected more than 0"),
        ({"sensitive": "input"}, "sensitive is 'input'; expected \"output\""),
    ],
)
def test_a_bad_configuration_is_refused_with_what_was_expected(given: Any, problem: str) -> None:
    with pytest.raises(InvalidStepConfig) as refused:
        resolve_config(given)
    assert str(refused.value) == problem

    with pytest.raises(InvalidStepConfig) as refused:
        resolve_rollback_config(given)
    assert str(refused.value).startswith("rollback: ")


def test_a_rollback_takes_neither_a_delay_function_nor_sensitive() -> None:
    assert resolve_rollback_config({"timeout": 7}) == resolve_config({"timeout": 7})
    assert resolve_rollback_config(None) == resolve_config(None)
    with pytest.raises(InvalidStepConfig) as refused:
        resolve_rollback_config({"sensitive": "output"})
    assert str(refused.value) == (
        "rollback: sensitive is not for rollbacks; expected retries, timeout"
    )
    with pytest.raises(InvalidStepConfig) as refused:
        resolve_rollback_config({"retries": {"limit": 1, "delay": {**FUNCTION}}})
    assert str(refused.value) == "rollback: retries.delay is a function; expected a duration"


@pytest.mark.parametrize(
    ("backoff", "failed", "expected_ms"),
    [
        ("constant", 1, 7), ("constant", 3, 7),
        ("linear", 1, 7), ("linear", 3, 21),
        ("exponential", 1, 7), ("exponential", 2, 14), ("exponential", 4, 56),
        ("exponential", 40, YEAR_MS), ("exponential", 10_000, YEAR_MS),
    ],
)  # fmt: skip
def test_each_backoff_waits_its_own_way_and_a_year_at_the_most(
    backoff: str, failed: int, expected_ms: int
) -> None:
    assert next_delay_ms(7, backoff, failed) == expected_ms


def test_a_delay_that_is_a_function_is_not_shown_to_the_step() -> None:
    plain: ConfigJson = {"retries": {"limit": 1, "delay": 5, "backoff": "linear"}, "timeout": 1}
    dynamic: ConfigJson = {**plain, "retries": {**plain["retries"], "delay": DYNAMIC}}

    assert shown_config(plain) == plain
    assert shown_config(dynamic) == {"retries": {"limit": 1, "backoff": "linear"}, "timeout": 1}


@pytest.mark.parametrize(
    ("kind", "name", "message", "final"),
    [
        ("do", "Error", "no", False),
        ("do", "NonRetryableError", "no", True),
        ("do", "Error", "NonRetryableError: no", True),
        ("do", "Error", "a NonRetryableError", False),
        ("do", "RollbackMissing", "no", False),
        ("rollback", "RollbackMissing", "no", True),
        ("rollback", "Error", "no", False),
        ("rollback", "NonRetryableError", "no", True),
    ],
)
def test_some_errors_are_final(kind: str, name: str, message: str, final: bool) -> None:
    step = Step(step_key(kind, "charge", 1), StepState.RUNNING)

    assert is_final(step, ErrorInfo(name, message)) is final
