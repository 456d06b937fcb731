"""Recorded values put together: they stay as they are, but for the references in them."""

from __future__ import annotations

import pytest

from emulator.engine.decide import payloads
from emulator.protocol import values

LOOP = b'[{"$ref":0}]'


def test_a_received_event_has_its_payload_its_time_and_its_type() -> None:
    event = payloads.received_event("go", 7, b'{"a":1}')

    assert event == b'{"payload":{"a":1},"timestamp":{"$date":7},"type":"go"}'


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, b"{}"),
        ({"a": b"1", "b": b""}, b'{"a":1,"b":null}'),
        ({"a": b'"$ref"', "b": b"{}"}, b'{"a":"$ref","b":{}}'),
        ({"a": LOOP}, b'{"a":[{"$ref":1}]}'),
        ({"a": b"[[]]", "b": LOOP, "c": LOOP}, b'{"a":[[]],"b":[{"$ref":3}],"c":[{"$ref":4}]}'),
    ],
)
def test_a_record_moves_references_on_by_what_opened_before(
    fields: dict[str, bytes], expected: bytes
) -> None:
    assert payloads.record(fields) == expected


def test_containers_around_each_value_are_counted_too() -> None:
    found = payloads.moved([LOOP, b"[[]]", LOOP], opened=1, around=2)

    assert found == [b'[{"$ref":3}]', b"[[]]", b'[{"$ref":10}]']
    joined = b"[%b]" % b",".join(b"[[%b]]" % value for value in found)
    first, _, last = values.decode(joined)
    assert first[0][0][0] is first[0][0]
    assert last[0][0][0] is last[0][0]


def test_a_text_is_written_as_json() -> None:
    assert values.decode(payloads.text('"é\ud800')) == '"é\ud800'
