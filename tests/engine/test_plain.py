"""Recorded values as plain JSON: nothing raises, nothing grows without end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.engine.model.plain import NODES_MAX, TEXT_MAX_CHARS, TRUNCATED, as_text, iso, plain
from emulator.protocol import deep_json, values
from emulator.protocol.values import ErrorValue, MapValue, RegExpValue, TypedArray


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": [1, "b", None, True]}, {"a": [1, "b", None, True]}),
        ({"$date": 0}, {"$date": 0}),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00.000Z"),
        (b"12345", "[Uint8Array(5 bytes)]"),
        (TypedArray("Float32Array", b"1234"), "[Float32Array(4 bytes)]"),
        (float("nan"), None),
        (2**60, str(2**60)),
        (MapValue([("a", {1})]), [["a", [1]]]),
        (ErrorValue("TypeError", "no"), {"name": "TypeError", "message": "no"}),
        (RegExpValue("a+", "g"), "/a+/g"),
    ],
)
def test_every_kind_of_value_has_a_plain_form(value: Any, shown: Any) -> None:
    assert plain(values.encode(value)) == shown


def test_a_cycle_is_named() -> None:
    cycle: list[Any] = [1]
    cycle.append(cycle)

    assert plain(values.encode(cycle)) == [1, "[Circular]"]


def test_a_shared_part_is_shown_each_time() -> None:
    shared = {"x": 1}

    assert plain(values.encode([shared, shared])) == [{"x": 1}, {"x": 1}]


@pytest.mark.parametrize("scalars", [0, 20_000])
def test_parts_shared_without_measure_do_not_fill_the_memory(scalars: int) -> None:
    shared: list[Any] = [0] * scalars
    for _ in range(60):
        shared = [shared, shared]

    assert len(json.dumps(plain(values.encode(shared)))) < 20 * NODES_MAX


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b'{"$date":253402300800000}', "+010000-01-01T00:00:00.000Z"),
        (b'{"$date":8640000000000000}', "+275760-09-13T00:00:00.000Z"),
        (b'{"$date":-8640000000000000}', "-271821-04-20T00:00:00.000Z"),
        (b'{"$date":-62167219200000}', "0000-01-01T00:00:00.000Z"),
        (b'{"$date":-62135596800000}', "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_date_is_shown_as_javascript_shows_it(value: bytes, shown: str) -> None:
    assert plain(value) == shown


@pytest.mark.parametrize("damaged", [b'{"$date":1152921504606846976}', b'{"$ref":3}', b'{"$x":'])
def test_a_damaged_value_is_described(damaged: bytes) -> None:
    assert "too unusual to be shown" in str(plain(damaged))


def test_a_value_nested_as_deeply_as_any_is_shown() -> None:
    text = b"[" * 1_024 + b"]" * 1_024

    assert deep_json.dumps(plain(text)).encode() == text


def test_a_value_nested_too_deeply_is_described() -> None:
    assert "too deep" in str(plain(b"[" * 100_000 + b"]" * 100_000))


def test_long_text_is_cut_off_and_says_so() -> None:
    text = as_text("x" * 5_000)

    assert text.endswith(TRUNCATED) and len(text) == TEXT_MAX_CHARS + len(TRUNCATED)


@pytest.mark.parametrize(
    ("at_ms", "shown"),
    [(-(2**62), "0001-01-01T00:00:00"), (2**62, "9999-12-31T23:59:59")],
)
def test_a_time_that_only_damage_can_record_is_shown(at_ms: int, shown: str) -> None:
    assert iso(at_ms).startswith(shown)
