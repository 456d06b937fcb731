"""JSON mode and model inputs: any schema gets an answer that satisfies it, or a clear refusal."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import jsonschema

from bindings.ai.ai import Ai, Settings
from bindings.binding import ByteStream
from emulator.clock import VirtualClock
from emulator.errors import WorkerError
from emulator.regex import BadPattern, compile_regex
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import NUMBERS, changed_json, json_bytes, json_value, text

_LLAMA = "@cf/meta/llama-3.1-8b-instruct"
_PATTERNS = (
    *(r"^\d{4}-\d{2}$", r"^[A-Z]{2,5}-\d+$", r"^(a+)+$", r"^(a|a)*$", r"(.*)*x", r"^.{10,}$", "["),
    *(r"\S+@\S+", r"(?=a)b", r"(?<n>a)\k<n>", r"^(?!x)", r"a{100000}", r"(a{1000}){1000}", r"\b"),
    *(r"^[^aeiou]+$", r"\u0041", "^$", "a|b|", "(" * 300, "[" * 300, r"\1", r"^\x00$", r"\p{L}+"),
)
_TYPES = ("string", "number", "integer", "boolean", "null", "array", "object", "any", 7)
_FORMATS = "email date date-time uri uuid ipv4 time hostname regex odd".split()
_PROMPTS = (
    *("Hello there", "a" * 5_000, " " * 5_000, "\u202e"),
    "jo@example.org 2026-05-17 ABC-123 40,000",
)


def _schema(random: Random, depth: int = 3) -> Any:
    if random.random() < 0.08:
        return random.choice((True, False, {}, None, 3, "x", []))
    schema: dict[str, Any] = {}
    if random.random() < 0.85:
        kind = random.choice(_TYPES)
        schema["type"] = kind if random.random() < 0.9 else [kind, "null"]
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        name, value = _keyword(random, depth)
        schema[name] = value
    return schema


def _keyword(random: Random, depth: int) -> tuple[str, Any]:
    number: Any = random.choice((0, 1, 2, 3, 10, -1, 0.5, random.choice(NUMBERS)))
    flat = (
        (random.choice(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")), number),
        (random.choice(("multipleOf", "minLength", "maxLength", "minItems", "maxItems")), number),
        (random.choice(("minProperties", "maxProperties", "minContains")), number),
        ("pattern", random.choice(_PATTERNS)),
        ("format", random.choice(_FORMATS)),
        ("enum", [json_value(random, 1) for _ in range(random.randrange(3))]),
        ("const", json_value(random, 1)),
        ("uniqueItems", True),
        ("required", [text(random) for _ in range(random.randrange(3))]),
        ("$ref", random.choice(("#", "#/$defs/a", "#/nothing", "other.json", "#/properties/a"))),
        ("description", text(random)),
    )
    if depth == 0:
        return random.choice(flat)
    inner = _schema(random, depth - 1)
    nested = (
        ("properties", {random.choice(("a", "b", text(random))): inner}),
        ("items", inner),
        ("prefixItems", [inner, _schema(random, depth - 1)]),
        ("additionalProperties", inner),
        ("patternProperties", {random.choice(_PATTERNS): inner}),
        (random.choice(("anyOf", "oneOf", "allOf")), [inner, _schema(random, depth - 1)]),
        (random.choice(("not", "if", "then", "else", "contains", "propertyNames")), inner),
        ("$defs", {"a": inner}),
        ("dependentSchemas", {"a": inner}),
    )
    return random.choice(flat + nested)


class Schemas(Target):
    """An input is JSON: `[schema, prompt]`, or `[null, the inputs of a model]`."""

    name = "schemas"
    about = "Workers AI: JSON mode with any schema, and inputs of any shape"
    limit_s = 3.0

    def make(self, random: Random) -> bytes:
        if random.random() < 0.75:
            return json_bytes([_schema(random), random.choice(_PROMPTS)])
        inputs: Any = {
            "messages": [{"role": "user", "content": random.choice(_PROMPTS)}],
            "stream": random.random() < 0.5,
            "max_tokens": 20,
            "temperature": 0.5,
            "tools": [{"name": "f", "description": "d", "parameters": _schema(random, 2)}],
            "response_format": {"type": "json_schema", "json_schema": _schema(random, 2)},
        }
        for _ in range(random.choice((1, 1, 2, 3))):
            inputs = changed_json(random, inputs)
        return json_bytes([None, inputs])

    def check(self, data: bytes) -> None:
        try:
            schema, given = json.loads(data)
        except (ValueError, TypeError):
            return  # made too small
        if schema is None:
            asyncio.run(_ask(given))
            return
        form = {"type": "json_schema", "json_schema": schema}
        messages = [{"role": "user", "content": given}]
        answer = asyncio.run(_ask({"messages": messages, "response_format": form}))
        if isinstance(answer, dict) and isinstance(schema, dict):
            _check_answer(schema, answer.get("response"))


async def _ask(inputs: Any) -> Any:
    """Return what a model answers; None where the call is refused."""
    ai = Ai((), Settings(), clock=VirtualClock())
    try:
        answer = await ai.call("run", [_LLAMA, inputs, None])
        if isinstance(answer, ByteStream):
            async for _ in answer.chunks:
                pass
            return None
    except WorkerError as error:
        if not error.message:
            raise Broken("an error that says nothing") from error
        return None
    finally:
        await ai.close()
    return answer


def _check_answer(schema: dict[str, Any], answer: Any) -> None:
    """An answer satisfies its schema, as far as the schema is one."""
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        problems = list(jsonschema.Draft202012Validator(schema).iter_errors(answer))
    except Exception:  # no schema to this library: nothing to hold the answer against
        return
    for problem in problems:
        if problem.validator != "pattern" or _is_checked(problem.validator_value):
            raise Broken(f"{answer!r:.100}: {problem.message:.100}")


def _is_checked(pattern: str) -> bool:
    """Whether a pattern is one that RE2 has; others are generated from, and not checked."""
    try:
        compile_regex(pattern)
    except BadPattern:
        return False
    return True
