"""Which properties of an object a JSON schema has looked at: what `unevaluatedProperties` leaves.

Source: JSON Schema 2020-12, core, section 11.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Valid = Callable[[Any, Any], bool]
Resolve = Callable[[str], Any]


def evaluated_names(value: dict[str, Any], schema: Any, valid: Valid, resolve: Resolve) -> set[str]:
    """Return the names of `value` that `schema`, which it satisfies, or its parts look at."""
    if not isinstance(schema, dict):
        return set()
    names = set(schema.get("properties", ())) & value.keys()
    for pattern in schema.get("patternProperties", ()):
        names |= {name for name in value if _found(pattern, name)}
    if "additionalProperties" in schema or "unevaluatedProperties" in schema:
        return set(value)
    for part in _parts(value, schema, valid, resolve):
        names |= evaluated_names(value, part, valid, resolve)
    return names


def _parts(
    value: dict[str, Any], schema: dict[str, Any], valid: Valid, resolve: Resolve
) -> Iterator[Any]:
    """Yield the schemas in `schema` about the same object that it satisfies."""
    yield from schema.get("allOf", ())
    for choice in ("anyOf", "oneOf"):
        yield from (part for part in schema.get(choice, ()) if valid(value, part))
    if "$ref" in schema:
        yield resolve(schema["$ref"])
    for name, part in schema.get("dependentSchemas", {}).items():
        if name in value:
            yield part
    if "if" in schema:
        holds = valid(value, schema["if"])
        if holds:
            yield schema["if"]
        yield schema.get("then" if holds else "else", True)


def _found(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:  # one that only JavaScript understands
        return True
