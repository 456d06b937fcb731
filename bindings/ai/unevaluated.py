"""The properties of an object that a JSON schema has evaluated, for `unevaluatedProperties`.

Source: https://json-schema.org/draft/2020-12/json-schema-core#section-11.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bindings.ai.schema_document import Document

Valid = Callable[[Any, Any], bool]
Resolve = Callable[[str, Any], Any]


def evaluated_names(
    value: dict[str, Any], schema: Any, valid: Valid, document: Document, resolve: Resolve
) -> set[str]:
    """Return the properties of `value` that `schema` or its parts evaluate."""
    document.spend(1 + len(value))
    if not isinstance(schema, dict):
        return set()
    names = set(schema.get("properties", ())) & value.keys()
    for pattern in schema.get("patternProperties", ()):
        names |= {name for name in value if document.matches(pattern, name)}
    if "additionalProperties" in schema or "unevaluatedProperties" in schema:
        return set(value)
    for part in _parts(value, schema, valid, document, resolve):
        names |= evaluated_names(value, part, valid, document, resolve)
    return names


def _parts(
    value: dict[str, Any],
    schema: dict[str, Any],
    valid: Valid,
    document: Document,
    resolve: Resolve,
) -> Iterator[Any]:
    """Yield the schemas inside `schema` that are about the same object and that it satisfies."""
    yield from schema.get("allOf", ())
    for choice in ("anyOf", "oneOf"):
        yield from (part for part in schema.get(choice, ()) if valid(value, part))
    if "$ref" in schema:
        yield resolve(schema["$ref"], document.root)
    for name, part in schema.get("dependentSchemas", {}).items():
        if name in value:
            yield part
    if "if" in schema:
        holds = valid(value, schema["if"])
        if holds:
            yield schema["if"]
        yield schema.get("then" if holds else "else", True)
