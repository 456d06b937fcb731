"""Schemas that certainly can be satisfied: each is made around a value that satisfies it."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import jsonschema

from bindings.ai.json_mode import answer
from bindings.ai.prompts import from_text
from emulator.errors import WorkerError

PROMPT = from_text("Build a mobile app for 250 technicians. Write to jo@example.org by 2026-05-17.")
NAMES = ["a", "b", "c", "name", "x_1", "x_2"]
SCHEMAS = 300
GIVEN_UP_MAX = 1  # of 1,500 it is one


class Maker:
    """Values and schemas around them; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def likely(self, chance: float) -> bool:
        return self._random.random() < chance

    def value(self, depth: int = 0) -> Any:
        match self._random.choice(["text", "whole", "part", "flag", "null", *["deep"] * 4]):
            case "text":
                return self._random.choice(["", "a", "hello", "AB-12", "x" * 20, "é🦊"])
            case "whole":
                return self._random.randint(-20, 100)
            case "part":
                return self._random.choice([0.5, 1.25, -3.5, 2.0, 1e6])
            case "flag":
                return self.likely(0.5)
            case "deep" if depth < 3 and self.likely(0.5):
                names = self._random.sample(NAMES, self._random.randint(0, 4))
                return {name: self.value(depth + 1) for name in names}
            case "deep" if depth < 3:
                return [self.value(depth + 1) for _ in range(self._random.randint(0, 4))]
            case _:
                return None

    def schema(self, value: Any, depth: int = 0) -> dict[str, Any]:
        """Return a schema that `value` satisfies."""
        plain = self._typed(value) | self._bounds(value, depth)
        if self.likely(0.06):
            plain["enum"] = [value, "other", None]
        if depth >= 3:
            return plain
        around = [
            plain,
            {"allOf": [plain, self.schema(value, depth + 1)]},
            {"anyOf": [self.schema(self.value(2), depth + 1), plain]},
            {"oneOf": [self.schema(self.value(2), depth + 1), plain]},
            {**plain, "not": self.schema(self.value(2), depth + 1)},
            {**plain, "if": self.schema(self.value(2), 3), "then": self.schema(value, depth + 1)},
            {**plain, "const": value},
        ]
        chosen = self._random.choices(around, [70, 8, 6, 4, 4, 4, 4])[0]
        return chosen if jsonschema.Draft202012Validator(chosen).is_valid(value) else plain

    def _typed(self, value: Any) -> dict[str, Any]:
        names = {str: "string", list: "array", dict: "object", bool: "boolean", float: "number"}
        name = names.get(type(value), "null" if value is None else "integer")
        other = self._random.choice(["null", "string", "object"])
        return self._random.choice([{"type": name}, {"type": name}, {"type": [name, other]}, {}])

    def _bounds(self, value: Any, depth: int) -> dict[str, Any]:
        match value:
            case bool() | None:
                return {}
            case str():
                return self._some(minLength=len(value) // 2, maxLength=len(value) + 3)
            case int() | float():
                return self._some(minimum=value - 2, maximum=value + 3, exclusiveMinimum=value - 1)
            case list():
                return self._list_bounds(value, depth)
            case _:
                return self._object_bounds(value, depth)

    def _list_bounds(self, value: list[Any], depth: int) -> dict[str, Any]:
        parts = [self.schema(item, depth + 1) for item in value]
        kinds: dict[str, Any] = {"minItems": len(value) // 2, "maxItems": len(value) + 1}
        if value:
            kinds["contains"] = self.schema(self._random.choice(value), depth + 1)
            if self.likely(0.5):
                kinds["prefixItems"] = parts[: self._random.randint(1, len(parts))]
            else:
                kinds["items"] = {"anyOf": parts}
        if len({json.dumps(item) for item in value}) == len(value) and not any(
            isinstance(item, bool | float) for item in value
        ):
            kinds["uniqueItems"] = True
        return self._some(**kinds)

    def _object_bounds(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = {name: self.schema(item, depth + 1) for name, item in value.items()}
        bounds = self._some(
            required=self._random.sample(list(value), self._random.randint(0, len(value))),
            minProperties=len(value) // 2,
            maxProperties=len(value) + 1,
            propertyNames={"pattern": "^[a-z_0-9]+$"},
            dependentRequired={name: list(value)[:1] for name in value},
            unevaluatedProperties=False,
        )
        return {"properties": properties, **bounds}

    def _some(self, **keywords: Any) -> dict[str, Any]:
        return {name: part for name, part in keywords.items() if self.likely(0.35)}


def test_an_answer_is_found_for_nearly_every_schema_and_none_is_wrong() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(SCHEMAS):
        maker = Maker(seed)
        schema = maker.schema(maker.value())
        try:
            made = answer(schema, PROMPT)
        except WorkerError as error:
            assert error.message == "5024: JSON Mode couldn't be met"
            outcomes["given up"] += 1
            continue
        jsonschema.Draft202012Validator(schema).validate(made)

    assert outcomes["given up"] <= GIVEN_UP_MAX
