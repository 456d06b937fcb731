"""JSON of any depth: read and written as the json module does, within limits."""

from __future__ import annotations

import json
from json.decoder import JSONDecodeError
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.protocol.deep_json import Limits, Reader, TooMuch, dumps, is_large, loads

FAR = 2_000  # levels: deeper than the json module goes on most Pythons

trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)
nearly_json = st.lists(
    st.sampled_from([*'[]{}",: \n', "1", "-2.5e3", "null", "true", '"a"', '"a":', "[]", "{}", "x"]),
    max_size=9,
).map("".join)


def read(text: str, **limits: Any) -> Any:
    return Reader(Limits(**limits)).whole(text)


def nested(tree: Any, depth: int) -> Any:
    for _ in range(depth):
        tree = [tree]
    return tree


@given(trees, st.sampled_from([None, 0, 3]))
def test_what_the_json_module_writes_is_read(tree: Any, indent: int | None) -> None:
    assert repr(read(json.dumps(tree, indent=indent))) == repr(tree)


@given(nearly_json)
@example(' [1 ,{"a" : 2 , "b":[ ]} ] ')
@example('["a" "b"]')
@example('{"a":"b" "c":1}')
def test_a_text_is_read_or_refused_as_the_json_module_does(text: str) -> None:
    try:
        expected = json.loads(text)
    except JSONDecodeError:
        with pytest.raises(JSONDecodeError):
            read(text)
    else:
        assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "x", "[", '["a"', '["a" ', '["a",', '["a" "b"]', '["a":1]', "[1 2]", "[-]",
        "{", '{"a"', '{"a" 1}', '{"a":', '{"a":}', '{"a":"b" "c"}', "{1:2}", '{"a":1,"b"}',
        '{"a":1}}', "[] []", '"a', '"\\x"', '"\t"', '["a"}', "nul",
        '["a", "\n"]', '{"a\n":1}', '{"a":"\n"}',
    ],
)  # fmt: skip
def test_an_error_says_the_same_as_that_of_the_json_module(text: str) -> None:
    with pytest.raises(JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(JSONDecodeError) as refused:
        read(text)

    assert str(refused.value) == str(expected.value)


@pytest.mark.parametrize(
    "text", ["1.5", "-2", '{"a":-2.5e3,"b":2E+1,"c":-0.0,"d":7e-1,"e":0,"f":12345678901234567890}']
)
def test_numbers_are_those_of_the_json_module(text: str) -> None:
    assert repr(read(text)) == repr(json.loads(text))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("text", ["{}", "[{}]", '["a",{}]'])
def test_constants_that_are_no_json_are_read_by_a_function(constant: str, text: str) -> None:
    reader = Reader(Limits(), parse_constant=lambda found: f"<{found}>", parse_int=lambda found: 7)

    assert reader.whole(text.replace("{}", constant)) == json.loads(
        text.replace("{}", f'"<{constant}>"')
    )


@pytest.mark.parametrize("text", ["12", "[12, 12]", '["", 12]', '{"a": 12}'])
def test_integers_are_read_by_a_function_wherever_they_stand(text: str) -> None:
    reader = Reader(Limits(), parse_int=lambda digits: int(digits) * 2)

    assert reader.whole(text) == json.loads(text.replace("12", "24"))


def test_every_object_is_of_the_type_that_is_asked_for() -> None:
    class Record(dict[str, Any]):
        pass

    outer = Reader(Limits(), new_object=Record).whole('{"a": [{}]}')

    assert type(outer) is Record and type(outer["a"][0]) is Record


def test_a_text_is_as_deep_as_its_limit_and_no_deeper() -> None:
    assert read('[{"a":[]}]', depth=3) == [{"a": []}]
    for deeper in ('[{"a":[[]]}]', '[{"a":[{}]}]', '[{"a":[[1]]}]'):
        with pytest.raises(TooMuch, match="nested too deeply: more than 3 levels"):
            read(deeper, depth=3)


def test_a_text_has_as_many_lists_and_objects_as_its_limit_and_no_more() -> None:
    reader = Reader(Limits(containers=3))

    for _ in range(2):  # each text is counted by itself
        assert reader.whole('[{"a":"b"},[1]]') == [{"a": "b"}, [1]]
        with pytest.raises(TooMuch, match="more than 3 lists and objects"):
            reader.whole('[{"a":"b"},[1],{}]')


@pytest.mark.parametrize("text", ["[]", " [ ] ", "[1]", ' [ 1 , {"a": []},"b" ] ', "[[],[[]]]"])
def test_the_items_of_a_list_come_one_by_one(text: str) -> None:
    assert list(Reader(Limits()).items(text)) == json.loads(text)


def test_limits_hold_for_each_item_of_a_list() -> None:
    items = Reader(Limits(depth=2, containers=2)).items('[[[]],[[]],{"a":[]},[[[]]]]')

    assert [next(items) for _ in range(3)] == [[[]], [[]], {"a": []}]
    with pytest.raises(TooMuch):
        next(items)


@pytest.mark.parametrize(
    ("text", "problem", "at"),
    [
        ("", "Expecting a list", 0),
        (' {"a":1}', "Expecting a list", 1),
        ("[", "Expecting value", 1),
        ("[1", "Expecting ',' delimiter", 2),
        ("[1 2]", "Expecting ',' delimiter", 3),
        ("[1] 2", "Extra data", 4),
        ("[]]", "Extra data", 2),
    ],
)
def test_a_text_that_is_no_list_of_items_is_refused(text: str, problem: str, at: int) -> None:
    with pytest.raises(JSONDecodeError) as refused:
        list(Reader(Limits()).items(text))

    assert (refused.value.msg, refused.value.pos) == (problem, at)


@pytest.mark.parametrize("as_bytes", [False, True])
def test_what_is_nested_deeper_than_the_stack_is_loaded(as_bytes: bool) -> None:
    text = "[" * FAR + '"é"' + "]" * FAR

    assert dumps(loads(text.encode() if as_bytes else text), ascii_only=False) == text


@settings(max_examples=10)
@given(trees, st.booleans())
def test_what_is_nested_deeper_than_the_stack_is_written_alike(tree: Any, ascii_only: bool) -> None:
    text = json.dumps(tree, ensure_ascii=ascii_only, separators=(",", ":"))

    assert dumps(tree, ascii_only=ascii_only) == text
    written = dumps(nested(tree, FAR), ascii_only=ascii_only)
    assert written == "[" * FAR + text + "]" * FAR


@pytest.mark.parametrize(
    "tree", [1, [], {}, [1, "é"], {"a": [], "b": {}}, [[1, 2], {"a": {"é": [None]}}]]
)
def test_an_indent_is_that_of_the_json_module_at_any_depth(tree: Any) -> None:
    text = json.dumps(tree, indent=2)
    opening = "".join("[\n" + "  " * (depth + 1) for depth in range(FAR))
    closing = "".join("\n" + "  " * depth + "]" for depth in reversed(range(FAR)))

    assert dumps(tree, indent=2) == text
    written = dumps(nested(tree, FAR), indent=2)
    assert written == opening + text.replace("\n", "\n" + "  " * FAR) + closing


@pytest.mark.parametrize("depth", [0, FAR])
def test_what_is_no_json_is_not_written(depth: int) -> None:
    with pytest.raises(ValueError):
        dumps(nested(float("nan"), depth))
    with pytest.raises(TypeError):
        dumps(nested(b"", depth))


def test_other_threads_may_run_while_the_same_text_is_written() -> None:
    tree = {"a": [1, "é", {"b": None}]}

    assert dumps(tree, yielding=True) == dumps(tree)


@pytest.mark.parametrize(
    ("tree", "large"),
    [
        ([None] * 5_000, False),
        ([None] * 5_001, True),
        (dict.fromkeys(map(str, range(5_001))), True),
        ([[None] * 2_500, {str(n): 0 for n in range(2_498)}], False),
        ([[None] * 2_500, {str(n): 0 for n in range(2_499)}], True),
        ({"a": {"b": [None] * 5_000}}, True),
        ([[None], *[0] * 4_999], True),
        ("x" * (200 * 5_001 - 1), False),
        ("x" * (200 * 5_001), True),
        (["x" * 199] * 4_999, False),
        (["x" * 200] * 2_501, True),
        (None, False),
    ],
)
def test_what_has_many_parts_or_long_texts_is_large(tree: Any, large: bool) -> None:
    assert is_large(tree) is large
