"""Values <-> tagged JSON: what structured clone can carry, as text that any language can read.

Plain JSON stands for itself. Everything else is an object with one key that begins with "$":

    {"$date": 1767225600000}   {"$bytes": "base64"}   {"$buffer": "base64"}   {"$undefined": 1}
    {"$typed": ["Float32Array", "base64"]}   {"$bigint": "123"}   {"$number": "NaN"}
    {"$map": [[key, value], …]}   {"$set": [value, …]}   {"$regexp": [source, flags]}
    {"$error": {"name": …, "message": …}}   {"$ref": n}   {"$object": {…}}
    {"$stream": [id, chunks, bytes, preview]}, only as the whole result of a step

`$ref` points at the n-th container (list, object, map, set; counted from 0 as they open) and
carries shared references and cycles. `$object` wraps a real object that would look like a tag.
Source: the structured clone algorithm, as workflows.md section 10 lists it.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_SAFE_INTEGER = 2**53 - 1  # ECMAScript Number.MAX_SAFE_INTEGER
_ESCAPED_KEYS = 1

# The writer ties cycles with `$ref` and tags what JSON has no number for: nothing to check again.
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_dump_ascii = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class NotCloneable(TypeError):
    """The value cannot be carried; the message names its type and where it sits."""


class MalformedValue(ValueError):
    """The bytes are not tagged JSON."""


@dataclass(frozen=True, slots=True)
class ErrorValue:
    """An Error object that travels as data."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class MapValue:
    """A JavaScript Map: pairs in insertion order, keys of any type."""

    pairs: list[tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class RegExpValue:
    """A JavaScript RegExp."""

    source: str
    flags: str


@dataclass(frozen=True, slots=True)
class TypedArray:
    """A JavaScript typed array other than Uint8Array: `kind` is `"Float32Array"` and the like."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamValue:
    """A byte stream that a step returned: not the bytes, but where the host has them.

    `size` is in bytes. `preview` is what people are shown of it.
    """

    id: int
    chunks: int
    size: int
    preview: str


def _utc(epoch_ms: float) -> Any:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Shapes:
    """What the reader wants each kind of value to become; the defaults are the host's.

    `new_object` makes the empty dict that is then filled, so that cycles can be tied.
    """

    new_object: Callable[[], dict[str, Any]] = dict
    date: Callable[[float], Any] = _utc
    binary: Callable[[bytes], Any] = _same
    typed: Callable[[TypedArray], Any] = _same
    map: Callable[[MapValue], Any] = _same
    error: Callable[[ErrorValue], Any] = _same
    regexp: Callable[[RegExpValue], Any] = _same
    stream: Callable[[StreamValue], Any] = _same


HOST_SHAPES = Shapes()
_BASE64 = re.compile(
    rb'"\$(?:bytes|buffer)":"([A-Za-z0-9+/=]*)"|"\$typed":\["\w+","([A-Za-z0-9+/=]*)"'
)


def encode(value: Any, convert: Callable[[Any], Any] | None = None) -> bytes:
    """Return `value` as tagged JSON in UTF-8.

    `convert` is asked about every value of a type not known here and returns a known one instead,
    or raises. Raises NotCloneable for what cannot be carried.
    """
    tagged = _Writer(convert).write(value, None)
    try:
        return _dump(tagged).encode()
    except UnicodeEncodeError:  # lone surrogates, legal in JavaScript strings: escape them
        return _dump_ascii(tagged).encode()


def size(data: bytes) -> int:
    """Return what an encoded value counts against limits: bytes count as bytes, not as base64."""
    padding = sum(len(found[1] or found[2]) // 4 for found in _BASE64.finditer(data))
    return len(data) - padding


def decode(data: bytes, shapes: Shapes = HOST_SHAPES) -> Any:
    """Return the value that `data` carries, built as `shapes` asks. Raises MalformedValue."""
    if not data:
        return None
    try:
        return _Reader(shapes).read(json.loads(str(data, "utf-8")))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as error:
        raise MalformedValue(f"not tagged JSON: {error}") from error


# Where a value sits: what it is in, and its name, its index, or a text that says it. Kept as links,
# because it is only shown when something cannot be cloned.
_Path = tuple[Any, int | str | tuple[str]] | None


def _shown(path: _Path) -> str:
    parts: list[str] = []
    while path is not None:
        path, part = path
        match part:
            case int():
                parts.append(f"[{part}]")
            case str():
                parts.append(f".{part}")
            case (text,):
                parts.append(text)
    return "".join(reversed(parts)).lstrip(".")


class _Writer:
    def __init__(self, convert: Callable[[Any], Any] | None) -> None:
        self._convert = convert
        self._opened: dict[int, int] = {}  # id of a container -> its number
        self._held: list[Any] = []  # keeps ids from being used again while we count

    def write(self, value: Any, path: _Path) -> Any:
        if value is None or value is True or value is False or type(value) is str:
            return value
        kind = type(value)
        if kind is int:
            return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else _big(value)
        if kind is float:
            return _number(value)
        if isinstance(value, dict):
            return self._object(value, path)
        if kind is list:
            return self._open(value) or self._list(value, path)
        return self._other(value, path)

    def _open(self, container: Any) -> Any:
        """Number a container; return a reference instead when it has been written before."""
        number = self._opened.get(id(container))
        if number is not None:
            return {"$ref": number}
        self._opened[id(container)] = len(self._opened)
        self._held.append(container)
        return None

    def _list(self, value: list[Any], path: _Path) -> list[Any]:
        return [self.write(item, (path, index)) for index, item in enumerate(value)]

    def _pairs(self, value: MapValue, path: _Path) -> list[list[Any]]:
        return [
            [self.write(key, (path, ("<key>",))), self.write(item, (path, (f"[{key!r}]",)))]
            for key, item in value.pairs
        ]

    def _object(self, value: dict[Any, Any], path: _Path) -> Any:
        reference = self._open(value)
        if reference is not None:
            return reference
        result = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else _key(key, path)
            plain = item is None or type(item) is str
            result[name] = item if plain else self.write(item, (path, name))
        if len(result) == _ESCAPED_KEYS and next(iter(result)).startswith("$"):
            return {"$object": result}
        return result

    def _other(self, value: Any, path: _Path) -> Any:
        match value:
            case str():  # a str subclass, e.g. a StrEnum
                return str(value)
            case bool() | int() | float():  # IntEnum and other subclasses: their plain value
                return self.write(float(value) if isinstance(value, float) else int(value), path)
            case bytes():
                return {"$bytes": _b64(value)}
            case datetime():
                # Milliseconds, as a Date holds; a naive datetime is local time.
                return {"$date": math.floor(value.timestamp() * 1000 + 0.5)}
            case set():
                return self._open(value) or {"$set": self._list(list(value), path)}
            case MapValue():
                return self._open(value) or {"$map": self._pairs(value, path)}
            case TypedArray(kind, data):
                return {"$typed": [kind, _b64(data)]}
            case ErrorValue(name, message):
                return {"$error": {"name": name, "message": message}}
            case RegExpValue(source, flags):
                return {"$regexp": [source, flags]}
            case StreamValue(number, chunks, size, preview):
                return {"$stream": [number, chunks, size, preview]}
        if self._convert is not None:
            return self.write(self._convert(value), path)
        where = f" at {_shown(path)}" if path else ""
        raise NotCloneable(f"a {type(value).__name__}{where} could not be cloned")


class _Reader:
    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._opened: list[Any] = []

    def read(self, node: Any) -> Any:
        if isinstance(node, dict):
            if len(node) == _ESCAPED_KEYS:
                (tag,) = node
                if tag.startswith("$"):
                    return self._tagged(tag, node[tag])
            return self._object(node)
        if isinstance(node, list):
            result: list[Any] = []
            self._opened.append(result)
            result.extend(self.read(item) for item in node)
            return result
        return node

    def _object(self, node: dict[str, Any]) -> Any:
        result = self._shapes.new_object()
        self._opened.append(result)
        for key, item in node.items():
            result[key] = self.read(item)
        return result

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
                return int(body)
            case "$number":
                return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, "-0": -0.0}[
                    body
                ]
            case "$map":
                pairs: list[tuple[Any, Any]] = []
                mapping = MapValue(pairs)
                self._opened.append(mapping)
                pairs.extend((self.read(key), self.read(item)) for key, item in body)
                return shapes.map(mapping)
            case "$set":
                self._opened.append(body)
                return set(self.read(item) for item in body)
            case "$regexp":
                return shapes.regexp(RegExpValue(str(body[0]), str(body[1])))
            case "$stream":
                number, chunks, size, preview = body
                return shapes.stream(StreamValue(int(number), int(chunks), int(size), str(preview)))
            case "$error":
                return shapes.error(ErrorValue(str(body["name"]), str(body["message"])))
            case "$ref":
                return self._opened[body]
            case "$object" if isinstance(body, dict):
                return self._object(body)
        raise MalformedValue(f"unknown tag {tag}")


def _number(value: float) -> Any:
    if math.isnan(value):
        return {"$number": "NaN"}
    if math.isinf(value):
        return {"$number": "Infinity" if value > 0 else "-Infinity"}
    if value == 0 and math.copysign(1, value) < 0:
        return {"$number": "-0"}
    # JavaScript has one number type: 1.0 is 1 there, and comes back as 1.
    if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return int(value)
    return value


def _big(value: int) -> Any:
    return {"$bigint": str(value)}


def _key(key: Any, path: _Path) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int | float):
        return str(key)
    where = f" of {_shown(path)}" if path else ""
    raise NotCloneable(f"the key {key!r}{where} is a {type(key).__name__}; object keys are strings")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise MalformedValue(f"not base64: {error}") from error
