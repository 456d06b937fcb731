"""`$ref` inside a value that becomes part of a larger one: moved on by what opened before it."""

from __future__ import annotations

from typing import Any

from . import deep_json
from .value_types import MalformedValue


def moved(value: bytes, by: int) -> tuple[bytes, int]:
    """Return an encoded value with its references moved on by `by`, and how many containers it has.

    Raises MalformedValue.
    """
    try:
        node = deep_json.loads(value)
        opened = _move(node, by)
    except (ValueError, TypeError, AttributeError) as error:
        raise MalformedValue(f"not tagged JSON: {error}") from error
    return deep_json.dumps(node).encode(), opened


def _move(root: Any, by: int) -> int:
    """Move every reference in `root` on, in place; return how many containers it opens."""
    opened = 0
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            opened += 1
            waiting.extend(node)
        if not isinstance(node, dict):
            continue
        tag = next(iter(node)) if len(node) == 1 else ""
        match tag:
            case "$ref":
                node[tag] += by
            case "$set":
                waiting.append(node[tag])
            case "$map":
                opened += 1
                waiting.extend(part for pair in node[tag] for part in pair)
            case "$object":
                opened += 1
                waiting.extend(node[tag].values())
            case _ if not tag.startswith("$"):
                opened += 1
                waiting.extend(node.values())
    return opened
