"""References moved on by what opened before them: which are, which are not, and what is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.protocol import values
from emulator.protocol.references import moved
from emulator.protocol.values import MalformedValue, MapValue

FAR = 2_000


@pytest.mark.parametrize(
    ("value", "expected", "containers"),
    [
        ("1", "1", 0),
        ('"$ref"', '"$ref"', 0),
        ("[]", "[]", 1),
        ("{}", "{}", 1),
        ('[{"$ref":0}]', '[{"$ref":10}]', 1),
        ('{"a":{"$ref":0},"b":[[]]}', '{"a":{"$ref":10},"b":[[]]}', 3),
        ('{"a":[{"$ref":1}]}', '{"a":[{"$ref":11}]}', 2),
        ('{"$ref":0,"a":1}', '{"$ref":0,"a":1}', 1),  # an object of two members is no tag
        ('{"$object":{"$ref":5}}', '{"$object":{"$ref":5}}', 1),
        ('{"$object":{"$a":{"$ref":0}}}', '{"$object":{"$a":{"$ref":10}}}', 1),
        ('{"$map":[[{"$ref":0},[]],[{},1]]}', '{"$map":[[{"$ref":10},[]],[{},1]]}', 3),
        ('{"$set":[1,{"$undefined":1}]}', '{"$set":[1,{"$undefined":1}]}', 1),
        ('{"$date":0}', '{"$date":0}', 0),
        ('{"$error":{"name":"E","message":""}}', '{"$error":{"name":"E","message":""}}', 0),
        ('{"$typed":["Int8Array",""]}', '{"$typed":["Int8Array",""]}', 0),
    ],
)
def test_references_move_and_all_else_stays(value: str, expected: str, containers: int) -> None:
    assert moved(value.encode(), 10) == (expected.encode(), containers)


@pytest.mark.parametrize(
    "damaged", ["[", '{"$ref":"a"}', '[{"$map":[1]}]', '{"$map":1}', '{"$object":1}']
)
def test_a_damaged_value_is_malformed(damaged: str) -> None:
    with pytest.raises(MalformedValue, match="^not tagged JSON: "):
        moved(damaged.encode(), 1)


def test_a_value_may_be_nested_deeper_than_the_stack() -> None:
    value = b"[" * FAR + b'{"$ref":0}' + b"]" * FAR

    assert moved(value, 1) == (value.replace(b"0", b"1"), FAR)


def shared(tree: Any) -> Any:
    """Return a value in which `tree` stands several times, and which contains itself."""
    loop: list[Any] = [tree, {"again": tree}, MapValue([("key", tree)])]
    return [*loop, loop, loop]


trees = st.recursive(
    st.none() | st.integers(0, 9) | st.sampled_from(["$ref", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$ref", "$object", "a", "b"]), inner, max_size=2)
        | st.lists(st.tuples(st.integers(0, 9), inner), max_size=2).map(MapValue)
        | st.sets(st.integers(0, 9), max_size=2)
    ),
    max_leaves=6,
)


@given(trees, trees)
def test_a_value_behind_another_comes_back_as_it_was(first: Any, second: Any) -> None:
    before, behind = values.encode(shared(first)), values.encode(shared(second))
    _, containers = moved(before, 0)
    joined = b"[%b,%b]" % (moved(before, 1)[0], moved(behind, 1 + containers)[0])

    assert json.loads(values.encode(values.decode(joined))) == json.loads(joined)
    assert values.encode(values.decode(joined)[0]) == before
    assert values.encode(values.decode(joined)[1]) == behind
