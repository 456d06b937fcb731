"""JSON mode: an answer that satisfies the given schema, with values from the prompt.

Theory of operation. For every part of the schema there is a short list of candidates, the most
fitting first: members of an enum by likeness to the prompt, texts taken from the prompt, numbers
found near the property's name or inside the bounds. The first candidate that satisfies its part
is taken. An answer is returned only when all of it has been checked against the schema. When no
candidate satisfies a part, the answer is production's error.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import Any

from msgspec import Struct, field

from bindings.ai.errors import bad_input, json_mode_not_met
from bindings.ai.fillers import boolean, numbers, rank_choices, strings
from bindings.ai.json_schema import (
    TYPES,
    flatten,
    is_valid,
    item_schemas,
    merge,
    property_schemas,
    required_names,
)
from bindings.ai.prompts import Prompt
from bindings.ai.schema_document import Document, Schema, TooMuchWork, UnusableSchema
from bindings.messages import shortened

CANDIDATES_MAX = 5_000  # for one answer
BRANCHES_MAX = 64
USUAL_ITEMS = 3
PLACES_MAX = 6  # positions in an array that are tried for an item it must contain
OPTIONAL_DEPTH = 5  # deeper than this, only required properties are filled in
FREE_FORM_SCHEMA = {
    "type": "object",
    "properties": {"summary": {"type": "string"}, "keywords": {"items": {"type": "string"}}},
}


class _NotMet(Exception):
    """No candidate satisfies this part of the schema."""


class _Answer(Struct):
    """One answer while it is made."""

    document: Document
    prompt: Prompt
    left: int = field(default=CANDIDATES_MAX)


class _Place(Struct, frozen=True):
    """Where a value is in the answer: `hint` names it, `index` is its number in a list."""

    hint: str = ""
    index: int = 0
    depth: int = 0


def answer(schema: Schema, prompt: Prompt) -> Any:
    """Return a JSON value that satisfies `schema`, with content from `prompt`.

    Raises WorkerError 5024 when none was found, 5006 when the schema cannot be used.
    """
    if not isinstance(schema, dict | bool):
        raise bad_input("Type mismatch of '/response_format/json_schema', 'object' not met")
    try:
        return _fill(schema, _Place(), _Answer(Document(schema), prompt))
    except (_NotMet, TooMuchWork, RecursionError):
        raise json_mode_not_met() from None
    except UnusableSchema as error:
        raise bad_input(f"json_schema: {error}") from None
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        # A schema may be any JSON. A malformed one can raise these errors anywhere.
        raise bad_input(f"json_schema is not a JSON schema: {shortened(str(error))}") from None


def _fill(schema: Schema, place: _Place, task: _Answer) -> Any:
    flat = flatten(schema, task.document)
    if flat is None:
        raise _NotMet
    for candidate in _candidates(flat, place, task):
        task.left -= 1
        if task.left < 0:
            raise _NotMet
        if is_valid(candidate, schema, task.document):
            return candidate
    raise _NotMet


def _candidates(flat: dict[str, Any], place: _Place, task: _Answer) -> Iterator[Any]:
    hint = f"{place.hint} {flat.get('title', '')} {flat.get('description', '')}".strip()
    task.document.spend(len(hint) // 20)
    place = _Place(hint, place.index, place.depth)
    choices = flat.get("choices")
    if choices:
        base = {key: value for key, value in flat.items() if key != "choices"}
        for combination in islice(product(*choices), BRANCHES_MAX):
            branch: dict[str, Any] | None = base
            for part in combination:
                other = flatten(part, task.document)
                if branch is None or other is None:
                    branch = None
                else:
                    branch = merge(branch, other, task.document)
            if branch is not None:
                yield from _candidates(branch, place, task)
        return
    if "enum" in flat:
        ranked = rank_choices(flat["enum"], hint, task.prompt, task.document)
        yield from ranked[place.index % max(1, len(ranked)) :]
        yield from ranked
        return
    for name in _types(flat):
        match name:
            case "object":
                yield from _objects(flat, place, task)
            case "array":
                yield from _arrays(flat, place, task)
            case "string":
                yield from strings(flat, hint, place.index, task.prompt, task.document)
            case "number" | "integer":
                task.document.spend(len(task.prompt.stems))
                yield from numbers(flat, hint, place.index, task.prompt, whole=name == "integer")
            case "boolean":
                guess = boolean(hint, task.prompt)
                yield from ((guess, not guess) if place.index % 2 == 0 else (not guess, guess))
            case _:
                yield None
    yield from (flat[key] for key in ("default",) if key in flat)
    yield from flat.get("examples", ())


def _types(flat: dict[str, Any]) -> list[str]:
    """Return the types to try: the declared ones, null last; else those the keywords are about."""
    declared = flat.get("type")
    if declared is not None:
        names = declared if isinstance(declared, list) else [declared]
        return sorted((name for name in names if name in TYPES), key=lambda name: name == "null")
    keywords = {
        "object": ("properties", "required", "additionalProperties", "minProperties"),
        "array": ("items", "prefixItems", "minItems", "contained"),
        "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
    likely = [name for name, keys in keywords.items() if any(key in flat for key in keys)]
    others = ("string", "object", "array", "number", "boolean", "null")
    return [*likely, *(name for name in others if name not in likely)]


def _objects(flat: dict[str, Any], place: _Place, task: _Answer) -> Iterator[dict[str, Any]]:
    required = required_names(flat)
    optional = [name for name in flat.get("properties", {}) if name not in required]
    room = flat.get("maxProperties", len(required) + len(optional)) - len(required)
    if place.depth < OPTIONAL_DEPTH and optional:
        declared = [n for n in flat.get("properties", {}) if n in required]
        extra = optional[: max(0, room)]
        order = [n for n in flat["properties"] if n in declared or n in extra]
        order += [n for n in required if n not in order]
        yield _object(order, frozenset(extra), flat, place, task)
    yield _object(required, frozenset(), flat, place, task)
    least = flat.get("minProperties", 0)
    if least > CANDIDATES_MAX:
        return
    for count in (least, *range(1, len(optional) + 1)):
        task.document.spend(len(required) + len(optional) + count)
        known = dict.fromkeys([*required, *optional, *_new_names(flat, count, task.document)])
        names = list(known)[: max(count, len(required))]
        names += [n for name in names for n in flat.get("dependentRequired", {}).get(name, ())]
        yield _object(list(dict.fromkeys(names)), frozenset(), flat, place, task)


def _new_names(flat: dict[str, Any], count: int, document: Document) -> Iterator[str]:
    """Yield names for undeclared properties, when the schema demands a minimum number."""
    for pattern in flat.get("patternProperties", {}):
        made = document.examples(pattern)
        numbered = (f"{made[0]}{n}" for n in range(1, count + 1) if made)
        fitting = (name for name in numbered if document.matches(pattern, name))
        yield from dict.fromkeys([*made, *fitting])
    wanted = flat.get("propertyNames")
    pattern = wanted.get("pattern") if isinstance(wanted, dict) else None
    if pattern is not None:
        yield from (text for n in range(count) for text in document.examples(pattern, n)[:8])
    yield from (f"item{n}" for n in range(1, count + 1))


def _object(
    names: list[str],
    droppable: frozenset[str],
    flat: dict[str, Any],
    place: _Place,
    task: _Answer,
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in names:
        parts = property_schemas(name, flat, task.document)
        schema = parts[0] if len(parts) == 1 else {"allOf": parts}
        inner = _Place(name, place.index, place.depth + 1)
        try:
            made[name] = _fill(schema, inner, task)
        except _NotMet:
            if name not in droppable:
                raise
    return made


def _arrays(flat: dict[str, Any], place: _Place, task: _Answer) -> Iterator[list[Any]]:
    prefix, rest = item_schemas(flat)
    least, most = flat.get("minItems", 0), flat.get("maxItems")
    usual = max(least, len(prefix) if prefix else USUAL_ITEMS)
    if place.depth >= OPTIONAL_DEPTH:
        usual = max(least, len(prefix) if "prefixItems" in flat else 0)
    needed = [part for part, often in flat.get("contained", ()) for _ in range(min(often, 100))]
    counts = [max(usual, len(needed)), least, len(prefix) + len(needed), 1, 0]
    for count in dict.fromkeys(min(count, most) if most is not None else count for count in counts):
        if count > CANDIDATES_MAX:
            continue
        task.document.spend(count)
        for special in _placed(needed, prefix, rest, count):
            try:
                yield _array(special, rest, count, flat, place, task)
            except _NotMet:
                continue


def _placed(
    needed: list[Schema], prefix: list[Schema], rest: Schema, count: int
) -> Iterator[list[Schema]]:
    """Yield lists of schemas for the first items, with the demanded items at various positions."""
    if not needed:
        yield prefix
        return
    base = [*prefix, *[rest] * (count - len(prefix))][:count]
    for start in range(min(PLACES_MAX, count - len(needed) + 1)):
        parts = [[item] for item in base]
        for offset, part in enumerate(needed):
            parts[start + offset].append(part)
        yield [item[0] if len(item) == 1 else {"allOf": item} for item in parts]
    for position in range(min(PLACES_MAX, count)):  # one item may satisfy all demands
        whole = {"allOf": [base[position], *needed]}
        yield [*base[:position], whole, *base[position + 1 :]]


def _array(
    prefix: list[Schema],
    rest: Schema,
    count: int,
    flat: dict[str, Any],
    place: _Place,
    task: _Answer,
) -> list[Any]:
    made: list[Any] = []
    least = flat.get("minItems", 0)
    for position in range(count):
        schema = prefix[position] if position < len(prefix) else rest
        if flat.get("uniqueItems") and made:
            schema = {"allOf": [schema, {"not": {"enum": list(made)}}]}
        elif position >= max(1, least) and position >= len(_members(schema)) > 0:
            break  # each member of the enum has been used
        inner = _Place(place.hint, place.index + position, place.depth + 1)
        try:
            made.append(_fill(schema, inner, task))
        except _NotMet:
            if position < max(1, least):
                raise
            break
    return made


def _members(schema: Schema) -> list[Any]:
    members: list[Any] = schema.get("enum", []) if isinstance(schema, dict) else []
    return members
