"""JSON mode on schemas that ask for more than there is time for, and on what is no schema.

Each is tried on a real event loop, which must go on during that time.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from emulator.errors import WorkerError

from ...watchdog import loop_watch
from .calls import LLAMA, new_ai

NAMES = [f"name {number}" for number in range(5_000)]
EMAIL = (
    r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|"
    r"([a-z]{2,3}[.]{1}[a-z]{2,3}))$"
)


def doubling(keyword: str, levels: int = 30) -> dict[str, Any]:
    """Each level refers twice to the next: two to the power of `levels` parts."""
    parts: dict[str, Any] = {
        f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)
    }
    parts[f"d{levels}"] = {"type": "integer"}
    return {"$ref": "#/$defs/d0", "$defs": parts}


def nested(levels: int) -> Any:
    schema: Any = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


SCHEMAS: dict[str, Any] = {
    "nested quantifiers": {"type": "string", "pattern": "^(a+)+$"},
    "an e-mail pattern": {"type": "string", "pattern": EMAIL},
    "alternatives that overlap": {"type": "string", "pattern": "^(a|a|aa)*b$"},
    "repeated repetitions": {"type": "string", "pattern": "^((a{1,100}){1,100}){1,100}$"},
    "a class of thousands": {"type": "string", "pattern": f"[{'a' * 3_900}]{{1000}}"},
    "a pattern of a megabyte": {"type": "string", "pattern": "(a?)" * 250_000},
    "brackets": {"type": "string", "pattern": "(" * 1_900 + "a" + ")" * 1_900},
    "look-ahead": {"type": "string", "pattern": "^(?=(a+)+$)(?!(b+)+$)"},
    "names by pattern": {
        "type": "object",
        "minProperties": 500,
        "patternProperties": {f"^(a+){{1,{n}}}$": {} for n in range(1, 900)},
    },
    "allOf doubled": doubling("allOf"),
    "anyOf doubled": doubling("anyOf"),
    "oneOf doubled": doubling("oneOf"),
    "unevaluated": {"type": "object", "unevaluatedProperties": False, **doubling("allOf", 25)},
    "a large enum": {"enum": NAMES},
    "enums in a list": {"type": "array", "minItems": 5_000, "items": {"enum": NAMES}},
    "distinct items": {"type": "array", "minItems": 4_000, "uniqueItems": True},
    "contained items": {"type": "array", "contains": {"type": "string"}, "minContains": 10**12},
    "many properties": {"type": "object", "properties": {n: {"type": "string"} for n in NAMES}},
    "many numbers": {"type": "object", "properties": {n: {"type": "number"} for n in NAMES}},
    "needed at once": {"type": "object", "required": ["a"], "dependentRequired": {"a": NAMES}},
    "a long text": {"type": "string", "minLength": 20_000, "pattern": "^(a|b|c)*$"},
    "enums in common": {"allOf": [{"enum": NAMES}, {"enum": NAMES[::-1]}]},
    "a long description": {
        "type": "object",
        "properties": {n: {"type": "boolean", "description": "word " * 20_000} for n in "abcd"},
    },
    "branches": {
        "anyOf": [{"type": "array", "minItems": 300, "items": {"anyOf": [False] * 60}}] * 60
    },
    "nesting": nested(150),
    "nesting without end": nested(5_000),
    "half a million parts": {"enum": [0] * 500_000},
    "tiny steps": {"type": "number", "multipleOf": 1e-300, "minimum": 1e300},
}
PROMPTS = ["a" * 40 + "!", "Sentence 5 says word 7. " * 9_000, "a" * 200_000]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_answered_or_given_up(name: str) -> None:
    form = {"type": "json_schema", "json_schema": SCHEMAS[name]}

    async def scenario() -> None:
        ai = new_ai()
        await ai.run(LLAMA, {"prompt": "warm up", "response_format": {"type": "json_object"}})
        with loop_watch():
            for prompt in PROMPTS:
                try:
                    await ai.run(LLAMA, {"prompt": prompt, "response_format": form})
                except WorkerError as error:
                    assert error.code in (5006, 5024), error.message
        await ai.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"properties": [5]}, "at '/properties' expected an object of schemas, and got an array"),
        (
            {"properties": {"a": 5}},
            "at '/properties/a' expected a schema (an object, true or false), and got a number (5)",
        ),
        ({"items": "x"}, "at '/items' expected a schema"),
        ({"anyOf": {}}, "at '/anyOf' expected an array of schemas, and got an object"),
        ({"not": None}, "at '/not' expected a schema (an object, true or false), and got null"),
        ({"required": ["a", 5]}, "at '/required' expected an array of strings, and got an array"),
        (
            {"properties": {"a": {"minLength": "x"}}},
            "at '/properties/a/minLength' expected a whole number from 0 on, and got a string",
        ),
        ({"multipleOf": 0}, "at '/multipleOf' expected a number above 0, and got a number (0)"),
        ({"pattern": True}, "at '/pattern' expected a string, and got a boolean (True)"),
        ({"enum": [0] * 50_000}, "it has more than 20,000 parts"),
        ({"title": "a" * 600_000}, "its texts have more than 500,000 characters"),
        (nested(1_000), "it is nested more than 200 deep"),
    ],
)
def test_a_wrong_schema_is_refused_with_its_place(schema: Any, told: str) -> None:
    form = {"type": "json_schema", "json_schema": schema}

    with pytest.raises(WorkerError) as caught:
        asyncio.run(new_ai().run(LLAMA, {"prompt": "x", "response_format": form}))

    assert caught.value.message.startswith(f"5006: Error: json_schema: {told}")


def test_a_schema_of_an_older_kind_is_taken() -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string", "required": True}}}
    form = {"type": "json_schema", "json_schema": parameters}

    made = asyncio.run(new_ai().run(LLAMA, {"prompt": "In Paris", "response_format": form}))

    assert made["response"] == {"city": "Paris"}
