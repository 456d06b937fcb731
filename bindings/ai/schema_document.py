"""A JSON schema that came with a call: checked once, and the work on it is counted.

A schema of a few lines may ask for endless work, by references that double at each level or by
bounds of millions. So every function that reads a schema counts its work. No clock is used, so the
limit is reached at the same point on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bindings.ai.patterns import examples
from bindings.messages import shortened, shown
from emulator.regex import BadPattern, Regex, compile_regex

Schema = Any  # a dict, True or False

PARTS_MAX = 20_000  # values of all kinds in a schema
CHARS_MAX = 500_000  # of all its texts together
NESTING_MAX = 200
WORK_MAX = 300_000  # of the order of a second


class UnusableSchema(Exception):
    """Not a schema, or its references lead nowhere, or back to themselves without end."""


class TooMuchWork(Exception):
    """The schema asks for more than can be tried."""


class Document:
    """A whole schema, with the targets of its references, and the work that is still allowed.

    Raises UnusableSchema when it is not a schema.
    """

    def __init__(self, root: Schema) -> None:
        check_schema(root)
        self.root = root
        self._left = WORK_MAX
        self._examples: dict[tuple[str, int], list[str]] = {}

    def spend(self, work: int = 1) -> None:
        """Count units of work, about a microsecond each. Raises TooMuchWork."""
        self._left -= work
        if self._left < 0:
            raise TooMuchWork

    def matches(self, pattern: str, text: str) -> bool:
        """Return whether `pattern` is found in `text`, or cannot be judged."""
        self.spend(1 + len(text) // 100)
        regex = judge(pattern)
        return regex is None or regex.is_in(text)

    def examples(self, pattern: str, min_length: int = 0) -> list[str]:
        """Return texts that match `pattern`, as far as it can be judged."""
        key = (pattern, min_length)
        if key not in self._examples:
            made = dict.fromkeys(examples(pattern, min_length, self.spend))
            self._examples[key] = [text for text in made if self.matches(pattern, text)]
        return self._examples[key]


def judge(pattern: str) -> Regex | None:
    """Return the pattern compiled, or None when it is not supported."""
    try:
        return compile_regex(pattern)
    except BadPattern:
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == value // 1


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# Keyword: what its value must be, in words, and a test for it.
_EXPECTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "type": ("a string or an array of strings", lambda v: isinstance(v, str) or _are_texts(v)),
    "enum": ("an array", lambda v: isinstance(v, list)),
    "examples": ("an array", lambda v: isinstance(v, list)),
    "pattern": ("a string", lambda v: isinstance(v, str)),
    "format": ("a string", lambda v: isinstance(v, str)),
    "$ref": ("a string", lambda v: isinstance(v, str)),
    # `required: true` inside a property comes from draft 3, and does no harm.
    "required": ("an array of strings", lambda v: _are_texts(v) or isinstance(v, bool)),
    "multipleOf": ("a number above 0", lambda v: _is_number(v) and v > 0),
    "dependentRequired": (
        "an object of arrays of strings",
        lambda v: isinstance(v, dict) and all(map(_are_texts, v.values())),
    ),
}
_EXPECTED |= {
    name: ("a whole number from 0 on", _is_count)
    for name in "minLength maxLength minItems maxItems minProperties maxProperties minContains "
    "maxContains".split()
}
_EXPECTED |= {
    name: ("a number", _is_number)
    for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
}
_SCHEMA = "not if then else contains propertyNames additionalProperties additionalItems".split()
_SCHEMA += ["unevaluatedProperties"]
_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED_SCHEMAS = "properties patternProperties dependentSchemas $defs definitions".split()


def check_schema(root: Schema) -> None:
    """Raise UnusableSchema for the first wrong part of a schema, with its place."""
    _check_size(root)
    waiting: list[tuple[Schema, str]] = [(root, "")]
    while waiting:
        schema, path = waiting.pop()
        if isinstance(schema, bool):
            continue
        if not isinstance(schema, dict):
            raise UnusableSchema(_wrong(path, "a schema (an object, true or false)", schema))
        for key, value in schema.items():
            expected = _EXPECTED.get(key)
            if expected is not None and not expected[1](value):
                raise UnusableSchema(_wrong(f"{path}/{key}", expected[0], value))
        waiting.extend(_subschemas(schema, path))


def _subschemas(schema: dict[str, Any], path: str) -> Iterator[tuple[Schema, str]]:
    for key, value in schema.items():
        if key in _NAMED_SCHEMAS:
            if not isinstance(value, dict):
                raise UnusableSchema(_wrong(f"{path}/{key}", "an object of schemas", value))
            yield from ((part, f"{path}/{key}/{name}") for name, part in value.items())
        elif key in _SCHEMAS or (key == "items" and isinstance(value, list)):
            if not isinstance(value, list):
                raise UnusableSchema(_wrong(f"{path}/{key}", "an array of schemas", value))
            yield from ((part, f"{path}/{key}/{place}") for place, part in enumerate(value))
        elif key in _SCHEMA or key == "items":
            yield value, f"{path}/{key}"


def _wrong(path: str, expected: str, found: Any) -> str:
    kinds = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    kind = "null" if found is None else kinds.get(type(found), "a number")
    told = f" ({shown(found, 60)})" if isinstance(found, str | int | float) else ""
    return f"at '{shortened(path or '/')}' expected {expected}, and got {kind}{told}"


def _check_size(root: Any) -> None:
    parts = chars = 0
    waiting: list[tuple[Any, int]] = [(root, 0)]
    while waiting:
        value, depth = waiting.pop()
        parts += 1
        if isinstance(value, str):
            chars += len(value)
        inner = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict):
            chars += sum(len(str(key)) for key in value)
        if isinstance(value, dict | list):
            if parts + len(waiting) + len(value) > PARTS_MAX:
                raise UnusableSchema(f"it has more than {PARTS_MAX:,} parts")
            waiting.extend((item, depth + 1) for item in inner)
        if depth > NESTING_MAX:
            raise UnusableSchema(f"it is nested more than {NESTING_MAX} deep")
        if chars > CHARS_MAX:
            raise UnusableSchema(f"its texts have more than {CHARS_MAX:,} characters")
