"""JSON mode: the answer satisfies the schema, whatever it is, and draws on the prompt."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.ai.json_mode import answer
from bindings.ai.json_schema import is_valid
from bindings.ai.prompts import from_text
from bindings.ai.schema_document import Document
from emulator.errors import WorkerError

from .calls import GLM, GPT_OSS, ask_json, run

PROMPT = (
    "Please build a mobile app for our 250 technicians. The budget is 40,000 euros. Write to "
    "jo@example.org before 2026-05-17. Ticket ABC-123 has the details. They work offline often."
)

names = st.sampled_from(["title", "count", "tags", "summary", "x", "é"])
leaves = st.one_of(
    st.just({}),
    st.just(True),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(
        lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
        st.integers(-50, 50),
        st.integers(0, 20),
    ),
    st.builds(
        lambda low, span: {"type": "number", "exclusiveMinimum": low, "maximum": low + span},
        st.integers(-5, 5),
        st.floats(0.01, 3),
    ),
    st.builds(lambda step: {"type": "number", "multipleOf": step}, st.sampled_from([1, 5, 0.5, 7])),
    st.builds(
        lambda low, span: {"type": "string", "minLength": low, "maxLength": low + span},
        st.integers(0, 60),
        st.integers(0, 40),
    ),
    st.builds(
        lambda pattern: {"type": "string", "pattern": pattern},
        st.sampled_from(
            [
                r"^\d{4}-\d{2}$",
                r"^[A-Z]{2,5}-\d+$",
                r"^(red|green)$",
                r"^[a-z]+(_[a-z]+)*$",
                r"^#[0-9a-fA-F]{6}$",
                "cat",
                r"^\S+@\S+\.\S+$",
                r"^.{10,}$",
                r"^[^aeiou]+$",
            ]
        ),
    ),
    st.builds(
        lambda members: {"enum": members},
        st.lists(
            st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["a", "other"])),
            min_size=1,
            max_size=4,
        ),
    ),
    st.builds(lambda value: {"const": value}, st.sampled_from(["fixed", 3, None, [1], {"a": 1}])),
    st.just({"type": ["string", "null"]}),
    st.just({"type": "string", "format": "date-time"}),
)


def grow(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(
            lambda properties, few, closed: {
                "type": "object",
                "properties": properties,
                "required": sorted(properties)[: len(properties) if few else 1],
                **({"additionalProperties": False} if closed else {}),
            },
            st.dictionaries(names, inner, min_size=1, max_size=4),
            st.booleans(),
            st.booleans(),
        ),
        st.builds(
            lambda items, low, span: {
                "type": "array",
                "items": items,
                "minItems": low,
                "maxItems": low + span,
            },
            inner,
            st.integers(0, 4),
            st.integers(0, 3),
        ),
        st.builds(lambda first, second: {"anyOf": [first, second]}, inner, inner),
        st.builds(lambda part: {"allOf": [part, {"description": "something"}]}, inner),
        st.builds(lambda part: {"$defs": {"part": part}, "$ref": "#/$defs/part"}, leaves),
        st.builds(
            lambda part: {"type": "object", "minProperties": 2, "additionalProperties": part},
            inner,
        ),
        st.builds(
            lambda one, two: {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"kind": {"const": kind}, "value": part},
                        "required": ["kind", "value"],
                    }
                    for kind, part in (("one", one), ("two", two))
                ]
            },
            inner,
            inner,
        ),
    )


schemas = st.recursive(leaves, grow, max_leaves=12)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


def without_nested_references(schema: Any, *, is_root: bool = True) -> Any:
    """A generated `$ref` only leads somewhere from the root: elsewhere, take what it refers to."""
    if isinstance(schema, list):
        return [without_nested_references(item, is_root=False) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$defs" in schema and not is_root:
        return schema["$defs"]["part"]
    if "const" in schema or "enum" in schema:
        return schema
    return {key: without_nested_references(part, is_root=False) for key, part in schema.items()}


@settings(max_examples=300, deadline=None)
@given(schemas)
def test_an_answer_satisfies_any_schema(generated: Any) -> None:
    schema = without_nested_references(generated)

    made = answer(schema, from_text(PROMPT))

    jsonschema.Draft202012Validator(schema).validate(made)


@settings(max_examples=200, deadline=None)
@given(schemas, values)
def test_validity_is_judged_as_jsonschema_judges_it(generated: Any, value: Any) -> None:
    schema = without_nested_references(generated)

    judge = jsonschema.Draft202012Validator(schema)
    assert is_valid(value, schema, Document(schema)) == judge.is_valid(value)


NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
    },
    "required": ["name"],
}
NUMBER_A = {"properties": {"a": {"type": "integer"}}, "required": ["a"]}
LARGE_A = {"properties": {"a": {"minimum": 5}, "b": {"type": "string"}}, "required": ["b"]}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 3},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        {"type": "array", "contains": {"const": 7}, "minItems": 2},
        {
            "type": "object",
            "patternProperties": {"^x_": {"type": "integer"}},
            "minProperties": 2,
            "additionalProperties": False,
        },
        {"properties": {"a": {"type": "string"}}, "dependentRequired": {"a": ["b"]}},
        {"type": "string", "not": {"enum": ["mobile app"]}},
        {"type": "object", "if": {"required": ["a"]}, "then": {"required": ["b"]}, **NUMBER_A},
        {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
        {"allOf": [NUMBER_A, LARGE_A]},
        {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "integer"}]},
        {"type": "integer", "multipleOf": 7, "minimum": 15},
    ],
)
def test_the_rarer_keywords_are_satisfied(schema: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate(ask_json(schema, PROMPT))


def test_values_are_taken_from_the_prompt() -> None:
    schema = {
        "type": "object",
        "properties": {
            "budget": {"type": "integer"},
            "technicians": {"type": "integer", "maximum": 1000},
            "contact": {"type": "string", "format": "email"},
            "deadline": {"type": "string", "format": "date"},
            "ticket": {"type": "string", "pattern": r"^[A-Z]+-\d+$"},
            "summary": {"type": "string"},
            "topics": {"type": "array", "items": {"type": "string"}},
            "offline": {"type": "boolean"},
            "refund": {"type": "boolean"},
        },
    }

    made = ask_json(schema, PROMPT)

    assert made["budget"] == 40000
    assert made["technicians"] == 250
    assert made["contact"] == "jo@example.org"
    assert made["deadline"] == "2026-05-17"
    assert made["ticket"] == "ABC-123"
    assert made["summary"] in PROMPT
    assert len(set(made["topics"])) == len(made["topics"]) > 1
    assert (made["offline"], made["refund"]) == (True, False)


INTENTS = {
    "type": "object",
    "properties": {
        "intent": {"enum": ["web-shop", "data_analysis", "mobile app", "marketing", "other"]}
    },
    "required": ["intent"],
}


@pytest.mark.parametrize(
    ("prompt", "intent"),
    [
        ("Our customers should order bread online, with a cart and card payment.", "web-shop"),
        (
            "We need dashboards and a warehouse for figures in spreadsheets.",
            "data_analysis",
        ),
        ("Technicians carry a phone; build something for iOS and Android.", "mobile app"),
        ("Plan a campaign with newsletters and advertising for our launch.", "marketing"),
        ("The cat sat on the mat.", "other"),
    ],
)
@pytest.mark.parametrize(
    "system",
    [None, "Choose one of web-shop, data_analysis, mobile app, marketing, other. Answer in JSON."],
)
def test_an_enum_is_chosen_by_what_the_prompt_says(
    prompt: str, intent: str, system: str | None
) -> None:
    assert ask_json(INTENTS, prompt, system) == {"intent": intent}


def test_the_instructions_meaning_of_a_choice_decides() -> None:
    schema = {"type": "object", "properties": {"queue": {"enum": ["alpha", "beta"]}}}
    system = "Pick a queue.\n- alpha: everything about gardens and plants\n- beta: boats, harbours"

    assert ask_json(schema, "My plants die in the garden", system) == {"queue": "alpha"}
    assert ask_json(schema, "The harbour is full of boats", system) == {"queue": "beta"}


def test_json_object_without_a_schema_gives_an_object() -> None:
    inputs = {"prompt": PROMPT, "response_format": {"type": "json_object"}}

    assert isinstance(run("@cf/meta/llama-3.1-8b-instruct", inputs)["response"], dict)


def test_chat_and_responses_models_write_the_json_as_text() -> None:
    wrapped = {"name": "intent", "strict": True, "schema": INTENTS}
    form = {"type": "json_schema", "json_schema": wrapped}

    chat = run(GLM, {"prompt": "Plan a campaign", "response_format": form})
    responses = run(
        GPT_OSS,
        {"input": "Plan a campaign", "text": {"format": {"type": "json_schema", **wrapped}}},
    )

    assert chat["choices"][0]["message"]["content"] == '{"intent":"marketing"}'
    assert responses["output_text"] == '{"intent":"marketing"}'


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "string", "minLength": 5, "maxLength": 2},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
        {"type": "string", "minLength": 10**12},
        {"type": "array", "minItems": 10**12},
        {"type": "object", "minProperties": 10**12},
        {"type": "string", "pattern": "^((a{1000}){1000}){1000}$"},
    ],
)
def test_a_schema_that_nothing_satisfies_is_productions_error(schema: Any) -> None:
    with pytest.raises(WorkerError, match="^5024: JSON Mode couldn't be met$"):
        ask_json(schema)


@pytest.mark.parametrize(
    "schema",
    [
        "object",
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.com/s.json"},
        {"$ref": "#"},
        {"enum": 5},
        {"type": "object", "properties": 5},
        {"type": "string", "minLength": "x"},
        {"type": "number", "multipleOf": 0},
    ],
)
def test_a_broken_schema_is_a_schema_violation(schema: Any) -> None:
    with pytest.raises(WorkerError, match="^5006: Error: "):
        ask_json(schema)


@settings(max_examples=100, deadline=None)
@given(schemas, st.sampled_from(["@cf/meta/llama-3.1-8b-instruct", GLM, GPT_OSS]))
def test_the_arguments_of_a_tool_satisfy_its_parameters(generated: Any, model: str) -> None:
    part = without_nested_references(generated, is_root=False)
    parameters = {"type": "object", "properties": {"part": part}, "required": ["part"]}
    tool = {"name": "go", "description": "Goes", "parameters": parameters}
    tools = [tool] if "llama" in model else [{"type": "function", "function": tool}]

    made = run(model, {"prompt": PROMPT, "tools": tools, "tool_choice": "required"})

    call = made["tool_calls"][0] if "llama" in model else None
    if call is None and "choices" in made:
        call = made["choices"][0]["message"]["tool_calls"][0]["function"]
    arguments = (call or made["output"][0])["arguments"]
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    jsonschema.Draft202012Validator(parameters).validate(arguments)


def test_a_place_is_a_name_that_the_prompt_mentions() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

    assert ask_json(schema, "What is the weather in New York today?") == {"city": "New York"}
