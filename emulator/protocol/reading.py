"""The tree of plain JSON that carries a value -> the value. `values.py` says what the tags are.

Not recursive: whatever was written can be read, however little of the stack is left.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from typing import Any

from .value_types import (
    ErrorValue,
    MalformedValue,
    MapValue,
    RegExpValue,
    Shapes,
    StreamValue,
    StubValue,
    TypedArray,
)

_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, "-0": -0.0}

# A container being read: what is still to come as (key, item), where its items go, what is to be
# done when all of them are there, and the key of what is being read in it.
_Frame = tuple[Iterator[tuple[Any, Any]], Any, Callable[[], None] | None, Any]
_WRONG = (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError)


def from_tree(root: Any, shapes: Shapes) -> Any:
    """Return the value that `root` carries; its lists and objects become those of the value.

    Raises MalformedValue.
    """
    kind = type(root)
    if kind is not list and kind is not shapes.new_object:
        return root
    return _Reader(shapes).read(root)


class _Reader:
    __slots__ = ("_child", "_opened", "_shapes")

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._opened: list[Any] = []
        self._child: _Frame | None = None  # a container that `_value` has just opened

    def read(self, root: Any) -> Any:
        """Put values in place of what carries them, in all of `root`; return its own."""
        new_object = self._shapes.new_object
        stack: list[_Frame] = []
        key: Any = None
        try:
            value = self._value(root)
            if self._child is None:
                return value
            items, target, finish, key = self._child
            self._child = None
            while True:
                for key, item in items:
                    kind = type(item)
                    if kind is new_object or kind is list:
                        target[key] = self._value(item)
                        if self._child is not None:
                            stack.append((items, target, finish, key))
                            items, target, finish, key = self._child
                            self._child = None
                            break
                else:
                    if finish is not None:
                        finish()
                    if not stack:
                        return value
                    items, target, finish, key = stack.pop()
        except _WRONG as error:
            keys = [frame[3] for frame in stack] + [key]
            raise MalformedValue(f"not tagged JSON: {error}", tuple(keys)) from error

    def _value(self, node: Any) -> Any:
        if type(node) is list:
            self._opened.append(node)
            self._child = (iter(enumerate(node)), node, None, None)
            return node
        if len(node) == 1:
            (tag,) = node
            if tag.startswith("$"):
                return self._tagged(tag, node[tag])
        return self._object(node)

    def _object(self, node: dict[str, Any]) -> Any:
        self._opened.append(node)
        self._child = (iter(node.items()), node, None, None)
        return node

    def _tagged(self, tag: str, body: Any) -> Any:
        shapes = self._shapes
        match tag:
            case "$date":
                return shapes.date(body)
            case "$bytes" | "$buffer":
                return shapes.binary(_unb64(body))
            case "$typed":
                return shapes.typed(TypedArray(str(body[0]), _unb64(body[1])))
            case "$undefined":
                return None
            case "$bigint":
                return int(body, 16 if "x" in body else 10)
            case "$number":
                return _NUMBERS[body]
            case "$map":
                return self._map(body)
            case "$set":
                return self._set(body)
            case "$regexp":
                return shapes.regexp(RegExpValue(str(body[0]), str(body[1])))
            case "$stored" | "$stream":  # the latter in journals of before protocol 2
                number, chunks, size, preview = body
                return shapes.stream(StreamValue(int(number), int(chunks), int(size), str(preview)))
            case "$body":
                return shapes.body()
            case "$stub":
                return shapes.stub(StubValue(str(body[0]), int(body[1])))
            case "$error":
                return shapes.error(ErrorValue(str(body["name"]), str(body["message"])))
            case "$ref" if type(body) is int and body >= 0:
                return self._opened[body]
            case "$object" if isinstance(body, dict):
                return self._object(body)
        raise ValueError(f"{tag} with a {type(body).__name__} is not a tag")

    def _map(self, body: list[Any]) -> Any:
        result = self._shapes.new_map()
        self._opened.append(result)
        parts = [part for key, item in body for part in (key, item)]

        def finish() -> None:
            if isinstance(result, MapValue):
                result.pairs.extend(zip(parts[::2], parts[1::2], strict=True))
            else:
                result.update(zip(map(str, parts[::2]), parts[1::2], strict=True))

        self._child = (iter(enumerate(parts)), parts, finish, None)
        return result

    def _set(self, body: Any) -> Any:
        result: set[Any] = set()
        self._opened.append(result)
        if type(body) is not list:
            raise ValueError("$set without a list")
        self._child = (iter(enumerate(body)), body, lambda: result.update(body), None)
        return result


def _unb64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
