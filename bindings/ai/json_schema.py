"""JSON Schema: whether a value satisfies one, and several combined into one. Pure.

Covers drafts 2020-12 and 7, except `$dynamicRef`, `unevaluatedItems` and references to other files.
`format` is not checked, as usual. A pattern with look-around inside it, or with back-references, is
not checked either. The document counts all work; too much of it raises TooMuchWork.

Rejected: jsonschema-rs. It validates in a tenth of the time, but a schema cannot be given a limit:
references that double at each of 30 levels hold the interpreter for a minute, of 60 for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bindings.ai.schema_document import Document, Schema, UnusableSchema
from bindings.ai.unevaluated import evaluated_names

DEPTH_MAX = 64

TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == value // 1,
    "number": lambda value: _is_number(value),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
TIGHTEST = {
    "minimum": max,
    "exclusiveMinimum": max,
    "minLength": max,
    "minItems": max,
    "minProperties": max,
    "minContains": max,
    "maximum": min,
    "exclusiveMaximum": min,
    "maxLength": min,
    "maxItems": min,
    "maxProperties": min,
    "maxContains": min,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same; 1 is 1.0, and is not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def resolve(reference: str, root: Schema) -> Schema:
    """Return what a reference within `root` points to; raises UnusableSchema."""
    if not reference.startswith("#"):
        raise UnusableSchema(reference)
    found = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise UnusableSchema(reference)
    return found


def is_valid(value: Any, schema: Schema, document: Document, depth: int = 0) -> bool:
    """Return whether `value` satisfies `schema`, whose references lead into `document`."""
    document.spend()
    if isinstance(schema, bool):
        return schema
    if depth > DEPTH_MAX:
        raise UnusableSchema("references without end")

    def valid(item: Any, subschema: Schema) -> bool:
        return is_valid(item, subschema, document, depth + 1)

    if "$ref" in schema and not valid(value, resolve(schema["$ref"], document.root)):
        return False
    if not (_type_fits(value, schema, document) and _is_combination_met(value, schema, valid)):
        return False
    match value:
        case bool() | None:
            return True
        case int() | float():
            return _is_number_valid(value, schema)
        case str():
            return _is_string_valid(value, schema, document)
        case list():
            return _is_array_valid(value, schema, valid, document)
        case _:
            return _is_object_valid(value, schema, valid, document) and _is_rest_valid(
                value, schema, valid, document
            )


Valid = Callable[[Any, Schema], bool]


def _type_fits(value: Any, schema: dict[str, Any], document: Document) -> bool:
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(TYPES[name](value) for name in types if name in TYPES):
            return False
    if "const" in schema and not equal(value, schema["const"]):
        return False
    document.spend(len(schema.get("enum", ())))
    return "enum" not in schema or any(equal(value, member) for member in schema["enum"])


def _is_combination_met(value: Any, schema: dict[str, Any], valid: Valid) -> bool:
    if not all(valid(value, part) for part in schema.get("allOf", ())):
        return False
    if "anyOf" in schema and not any(valid(value, part) for part in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(valid(value, part) for part in schema["oneOf"]) != 1:
        return False
    if "not" in schema and valid(value, schema["not"]):
        return False
    if "if" in schema:
        branch = "then" if valid(value, schema["if"]) else "else"
        return branch not in schema or valid(value, schema[branch])
    return True


def _is_number_valid(value: float, schema: dict[str, Any]) -> bool:
    if "multipleOf" in schema:
        quotient = value / schema["multipleOf"]
        if not math.isfinite(quotient) or quotient != round(quotient):
            return False
    return (
        value >= schema.get("minimum", -math.inf)
        and value <= schema.get("maximum", math.inf)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )


def _is_string_valid(value: str, schema: dict[str, Any], document: Document) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf):
        return False
    patterns = [schema["pattern"]] if "pattern" in schema else []
    found = (*patterns, *schema.get("patterns", ()))
    return all(document.matches(pattern, value) for pattern in found)


def _is_array_valid(
    value: list[Any], schema: dict[str, Any], valid: Valid, document: Document
) -> bool:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
        return False
    prefix, rest = item_schemas(schema)
    if not all(valid(item, part) for item, part in zip(value, prefix, strict=False)):
        return False
    if not all(valid(item, rest) for item in value[len(prefix) :]):
        return False
    if "contains" in schema:
        count = sum(valid(item, schema["contains"]) for item in value)
        if not schema.get("minContains", 1) <= count <= schema.get("maxContains", math.inf):
            return False
    if schema.get("uniqueItems"):
        document.spend(len(value) ** 2 // 2)
        return not any(
            equal(item, other) for n, item in enumerate(value) for other in value[n + 1 :]
        )
    return True


def item_schemas(schema: dict[str, Any]) -> tuple[list[Schema], Schema]:
    """Return the schemas of the first items, and the schema of all later items."""
    items = schema.get("items", True)
    if isinstance(items, list):  # as it was before draft 2020-12
        return items, schema.get("additionalItems", True)
    return schema.get("prefixItems", []), items


def _is_object_valid(
    value: dict[str, Any], schema: dict[str, Any], valid: Valid, document: Document
) -> bool:
    if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", math.inf):
        return False
    if not all(name in value for name in required_names(schema)):
        return False
    for name, needed in schema.get("dependentRequired", {}).items():
        if name in value and not all(other in value for other in needed):
            return False
    for name, dependent in schema.get("dependentSchemas", {}).items():
        if name in value and not valid(value, dependent):
            return False
    if "propertyNames" in schema and not all(valid(key, schema["propertyNames"]) for key in value):
        return False
    return all(
        valid(item, part)
        for name, item in value.items()
        for part in property_schemas(name, schema, document)
    )


def _is_rest_valid(value: Any, schema: dict[str, Any], valid: Valid, document: Document) -> bool:
    if "unevaluatedProperties" not in schema:
        return True
    own = {key: part for key, part in schema.items() if key != "unevaluatedProperties"}
    known = evaluated_names(value, own, valid, document, resolve)
    rest = schema["unevaluatedProperties"]
    return all(valid(item, rest) for name, item in value.items() if name not in known)


def required_names(schema: dict[str, Any]) -> list[str]:
    """Return the properties that an object must have."""
    names = schema.get("required")
    return list(names) if isinstance(names, list) else []


def property_schemas(name: str, schema: dict[str, Any], document: Document) -> list[Schema]:
    """Return every schema that a property's value must satisfy."""
    found = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    for pattern, part in schema.get("patternProperties", {}).items():
        if document.matches(pattern, name):
            found.append(part)
    return found or [schema.get("additionalProperties", True)]


def flatten(schema: Schema, document: Document, depth: int = 0) -> dict[str, Any] | None:
    """Return `schema` with `$ref`, `allOf` and `const` merged into one level, None for "nothing".

    `"choices"` collects `anyOf`, `oneOf` and `if`: a list of lists of schemas, and of each list one
    schema must hold. `"contained"` is what an array must contain: pairs of a schema and how often.
    """
    document.spend()
    if isinstance(schema, bool):
        return {} if schema else None
    if depth > DEPTH_MAX:
        raise UnusableSchema("references without end")
    flat: dict[str, Any] = {}
    for key, value in schema.items():
        match key:
            case "const":
                flat["enum"] = [value]
            case "pattern":
                flat["patterns"] = [value]
            case "unevaluatedProperties":
                # All on one level: a property that is not declared was not evaluated either.
                flat.setdefault("additionalProperties", value)
            case "contains":
                flat["contained"] = [(value, schema.get("minContains", 1))]
            case "anyOf" | "oneOf":
                flat.setdefault("choices", []).append(value)
            case "if":
                holds = {"allOf": [value, schema.get("then", True)]}
                flat.setdefault("choices", []).append([holds, schema.get("else", True)])
            case "$ref" | "allOf" | "then" | "else" | "$defs" | "definitions":
                pass
            case "required":
                flat[key] = required_names(schema)
            case _:
                flat[key] = value
    document.spend(len(flat))
    if "const" in schema and "enum" in schema:
        flat["enum"] = [m for m in schema["enum"] if equal(m, schema["const"])]
    parts = list(schema.get("allOf", ()))
    if "$ref" in schema:
        parts.append(resolve(schema["$ref"], document.root))
    for part in parts:
        other = flatten(part, document, depth + 1)
        if other is None:
            return None
        flat = merge(flat, other, document)
    return flat


def merge(one: dict[str, Any], other: dict[str, Any], document: Document) -> dict[str, Any]:
    """Return a flat schema for values that satisfy both flat schemas, as far as possible."""
    merged = dict(other) | one
    for key in one.keys() & other.keys():
        first, second = one[key], other[key]
        if isinstance(first, list) and isinstance(second, list):
            document.spend(len(first) * len(second) // 4)
        elif isinstance(first, dict) and isinstance(second, dict):
            document.spend(len(first) + len(second))
        if key in TIGHTEST:
            merged[key] = TIGHTEST[key](first, second)
        elif key == "type":
            merged[key] = _common_types(first, second)
        elif key == "enum":
            merged[key] = [m for m in first if any(equal(m, n) for n in second)]
        elif key in ("required", "patterns", "choices", "contained"):
            merged[key] = [*first, *(item for item in second if item not in first)]
        elif key in ("properties", "patternProperties", "dependentSchemas"):
            merged[key] = {
                **second,
                **{n: {"allOf": [s, second[n]]} if n in second else s for n, s in first.items()},
            }
        elif key == "prefixItems":
            longer, shorter = (one, other) if len(first) >= len(second) else (other, one)
            merged[key] = [
                {"allOf": [item, *shorter["prefixItems"][n : n + 1]]}
                for n, item in enumerate(longer["prefixItems"])
            ]
        elif key in ("items", "additionalProperties", "propertyNames"):
            merged[key] = {"allOf": [first, second]}
    return merged


def _common_types(first: Any, second: Any) -> list[str]:
    ones = first if isinstance(first, list) else [first]
    others = second if isinstance(second, list) else [second]
    common = [name for name in ones if name in others]
    if "integer" in (*ones, *others) and "number" in (*ones, *others) and "integer" not in common:
        common.append("integer")
    return common
