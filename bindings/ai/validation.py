"""Checks inputs against a model's JSON schema, in production's order and words. Pure.

It knows the keywords that the schemas of the catalogue use. A null counts as absent: Python's None
is JavaScript's undefined. Binary data passes as an array of bytes.

Source: https://github.com/cloudflare/cabidela/blob/main/src/index.ts (the validator of Workers AI).
Differs: it also refuses too many items of an array, which the service does elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bindings.messages import shortened

Schema = Mapping[str, Any]


class SchemaMismatch(Exception):
    """The inputs do not satisfy the schema; the message is production's."""


def check(value: Any, schema: Schema) -> None:
    """Raise SchemaMismatch for the first thing in `value` that the schema does not allow."""
    _visit(value, schema, "")


def _visit(value: Any, schema: Schema, path: str) -> None:
    if value is None and path:
        return
    if "oneOf" in schema:
        _check_one_of(value, schema, path)
    kind = schema.get("type")
    if kind == "array" and _is_array(value):
        _check_items(value, schema, path)
    elif kind == "object" or "properties" in schema:
        _check_object(value, schema, path)
    else:
        _check_scalar(value, schema, path)


def _check_one_of(value: Any, schema: Schema, path: str) -> None:
    problems: list[str] = []
    for option in schema["oneOf"]:
        inherited = {"type": schema["type"], **option} if "type" in schema else option
        try:
            _visit(value, inherited, path)
            return
        except SchemaMismatch as mismatch:
            problems.append(str(mismatch))
    told = ", ".join(dict.fromkeys(problems))
    raise SchemaMismatch(f"oneOf at '{path or '/'}' not met, 0 matches: {told}")


def _check_items(value: Any, schema: Schema, path: str) -> None:
    most = schema.get("maxItems")
    if most is not None and not 0 < len(value) <= most:
        raise SchemaMismatch(f"'{path or '/'}' must have 1 to {most} items, got {len(value)}")
    items = schema.get("items")
    if isinstance(value, bytes) or items is None:
        return
    if items.get("type") == "number" and isinstance(value, list) and _are_numbers(value):
        return  # a picture has a million items
    for key, item in enumerate(value) if isinstance(value, list) else value.items():
        if item is None:
            raise SchemaMismatch(
                f"Type mismatch of '{path}/{key}', '{items.get('type')}' not in 'null'"
            )
        _visit(item, items, f"{path}/{key}")


def _is_array(value: Any) -> bool:
    """A typed array that went through JSON is `{"0": 137, "1": 80, …}`."""
    if isinstance(value, dict):
        return bool(value) and all(isinstance(key, str) and key.isdigit() for key in value)
    return isinstance(value, list | bytes)


def _are_numbers(value: list[Any]) -> bool:
    return all(type(item) is int or type(item) is float for item in value)


def _check_object(value: Any, schema: Schema, path: str) -> None:
    if not isinstance(value, Mapping):
        raise SchemaMismatch(f"Type mismatch of '{path or '/'}', 'object' not in {types_of(value)}")
    properties = schema.get("properties", {})
    for name, part in properties.items():
        if value.get(name) is not None:
            _visit(value[name], part, f"{path}/{name}")
    if schema.get("additionalProperties") is False:
        extra = [f"{path}/{name}" for name in value if name not in properties]
        if extra:
            raise SchemaMismatch(
                f"Additional or unevaluated properties '{', '.join(extra)}' at "
                f"'{path or '/'}' not allowed"
            )
    required = schema.get("required", ())
    if any(value.get(name) is None for name in required):
        raise SchemaMismatch(f"required properties at '{path or '/'}' are '{','.join(required)}'")


def _check_scalar(value: Any, schema: Schema, path: str) -> None:
    if "enum" in schema and value not in schema["enum"]:
        members = ",".join(map(str, schema["enum"]))
        raise SchemaMismatch(f"enum {shortened(value)} not in {members} at '{path}'")
    kind = schema.get("type")
    if kind is None:
        return
    if f"'{kind}'" not in types_of(value):
        raise SchemaMismatch(f"Type mismatch of '{path or '/'}', '{kind}' not in {types_of(value)}")
    if kind == "string":
        _check_length(value, schema, path)
    elif kind in ("number", "integer"):
        _check_bounds(value, schema, path)


def _check_length(value: str, schema: Schema, path: str) -> None:
    if len(value) > schema.get("maxLength", len(value)):
        raise SchemaMismatch(f"Length of '{path}' must be <= {schema['maxLength']}")
    if len(value) < schema.get("minLength", 0):
        raise SchemaMismatch(f"Length of '{path}' must be >= {schema['minLength']} not met")


def _check_bounds(value: float, schema: Schema, path: str) -> None:
    # Written so that NaN, which compares as false, is refused too.
    if "minimum" in schema and not value >= schema["minimum"]:
        raise SchemaMismatch(f"'{path}' must be >= {schema['minimum']}")
    if "maximum" in schema and not value <= schema["maximum"]:
        raise SchemaMismatch(f"'{path}' must be <= {schema['maximum']}")


def types_of(value: Any) -> str:
    """Return the JSON types that `value` has, quoted, as messages list them."""
    match value:
        case None:
            names = ["null"]
        case bool():
            names = ["boolean"]
        case str():
            names = ["string"]
        case int() | float():
            # A float that JavaScript would print without a fraction is an integer there.
            is_whole = isinstance(value, int) or value.is_integer()
            names = ["number", "integer"] if is_whole else ["number"]
        case list():
            plain = all(isinstance(item, str | int | float) for item in value)
            names = ["array", "binary"] if plain else ["array"]
        case _:
            names = ["object"]
    return ",".join(f"'{name}'" for name in names)
