"""Values -> the tree of plain JSON that carries them. `values.py` says what the tags are.

Not recursive: how deep a value may be depends on `DEPTH_MAX` alone, and not on how much of the
stack the caller has left.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from . import dates
from .value_types import (
    DEPTH_MAX,
    MAX_SAFE_INTEGER,
    Body,
    ErrorValue,
    MapValue,
    NotCloneable,
    RegExpValue,
    StreamValue,
    StubValue,
    TooDeep,
    TooManyCopies,
    TypedArray,
)

_WHERE_MAX_CHARS = 100  # what is longer is shortened in the middle: both ends tell something
_DIGITS_SAFE_BITS = 2_000  # Python refuses to write more than 640 digits when it is told so

# A container being written: whether it is an object, what is still to come, what it becomes, and
# the key of what is being written in it, or None where a key itself is refused.
_Frame = tuple[bool, Iterator[Any], Any, str | None]


class _BadKey(NotCloneable):
    """A key that no object can have. It has no place of its own; that of its object is told."""


class _Pair(tuple[Any, ...]):
    """A key of a Map and its value; no container of the user's."""

    __slots__ = ()


def to_tree(value: Any, convert: Callable[[Any], Any] | None, copies_max: int = 0) -> Any:
    """Return `value` as plain JSON; `convert` and `copies_max` as in `values.encode`.

    Raises NotCloneable.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind is int and -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return value
    return _Writer(convert, copies_max).write(value)


class _Writer:
    __slots__ = ("_child", "_convert", "_copies_max", "_held", "_name", "_opened")

    def __init__(self, convert: Callable[[Any], Any] | None, copies_max: int) -> None:
        self._convert = convert
        self._copies_max = copies_max  # 0: a container is written once
        self._opened: dict[int, int] = {}  # id of a container -> its number
        self._held: list[Any] = []  # the containers: keeps their ids from being used again
        self._child: _Frame | None = None  # a container that `_node` has just opened
        self._name = ""  # of the member that is being written

    def write(self, value: Any) -> Any:
        stack: list[_Frame] = []
        frame: _Frame | None = None
        try:
            root = self._node(value)
            if self._child is None:
                return root
            frame, self._child = self._child, None
            while True:
                in_object, items, target, _ = frame
                if in_object:
                    self._write_members(items, target)
                else:
                    self._write_items(items, target)
                if self._child is not None:
                    stack.append((in_object, items, target, self._name))
                    frame, self._child = self._child, None
                    if len(stack) >= DEPTH_MAX:
                        raise TooDeep(f"a value nested more than {DEPTH_MAX:,} deep")
                    continue
                escaped = in_object and len(target) == 1 and next(iter(target)).startswith("$")
                if not stack:
                    return {"$object": target} if escaped else root
                frame = stack.pop()
                if escaped:
                    frame[2][frame[3] if frame[0] else -1] = {"$object": target}
        except NotCloneable as error:
            if frame is not None:  # else it is the value itself, or a member of it, a set
                stack.append((*frame[:3], None if isinstance(error, _BadKey) else self._name))
            error.where = error.where or _where(stack)
            raise

    # Half of the time of a value goes to these two: that they are alike is worth it.

    def _write_members(self, members: Iterator[tuple[Any, Any]], target: dict[str, Any]) -> None:
        """Write members of an object up to its end, or to a container, which is `_child` then."""
        for key, item in members:
            name = key if type(key) is str else _key(key)
            kind = type(item)
            if kind is str or item is None or kind is bool:
                target[name] = item
            elif kind is int and -MAX_SAFE_INTEGER <= item <= MAX_SAFE_INTEGER:
                target[name] = item
            elif kind is float:
                target[name] = _number(item)
            else:
                self._name = name
                target[name] = self._node(item)
                if self._child is not None:
                    return

    def _write_items(self, items: Iterator[Any], target: list[Any]) -> None:
        """Write items of a list in the same way."""
        for item in items:
            kind = type(item)
            if kind is str or item is None or kind is bool:
                target.append(item)
            elif kind is int and -MAX_SAFE_INTEGER <= item <= MAX_SAFE_INTEGER:
                target.append(item)
            elif kind is float:
                target.append(_number(item))
            else:
                target.append(self._node(item))
                if self._child is not None:
                    return

    def _node(self, value: Any) -> Any:
        """Return what stands for `value`; of a container empty, with its items as `_child`."""
        kind = type(value)
        if kind is dict or isinstance(value, dict):
            identity = id(value)
            number = self._opened.get(identity)
            if number is not None and self._is_once(value):
                return {"$ref": number}
            self._opened[identity] = len(self._held)
            self._held.append(value)
            members: dict[str, Any] = {}
            self._child = (True, iter(value.items()), members, "")
            return members
        if kind is list or isinstance(value, list):
            identity = id(value)
            number = self._opened.get(identity)
            if number is not None and self._is_once(value):
                return {"$ref": number}
            self._opened[identity] = len(self._held)
            self._held.append(value)
            items: list[Any] = []
            self._child = (False, iter(value), items, "")
            return items
        if kind is datetime:
            return {"$date": _date(value)}
        if kind is bytes:
            return {"$bytes": _b64(value)}
        return self._other(value)

    def _is_once(self, value: Any) -> bool:
        """Whether a list or dict that has been written is not written again where it stands."""
        if self._copies_max and len(self._held) >= self._copies_max:
            raise TooManyCopies(f"a value with more than {self._copies_max:,} lists and dicts")
        return not self._copies_max

    def _items(self, items: Iterable[Any]) -> list[Any]:
        result: list[Any] = []
        self._child = (False, iter(items), result, "")
        return result

    def _other(self, value: Any) -> Any:
        match value:
            case None | True | False:
                return value
            case str():  # of a subclass, such as a `(str, Enum)`: its contents
                return str.__str__(value)
            case int():
                exact = int.__int__(value)
                safe = -MAX_SAFE_INTEGER <= exact <= MAX_SAFE_INTEGER
                return exact if safe else {"$bigint": _digits(exact)}
            case float():
                return _number(float.__float__(value))
            case bytes():
                return {"$bytes": _b64(value)}
            case datetime():
                return {"$date": _date(value)}
            case set() | MapValue():
                return self._set_or_map(value)
            case _Pair():
                return self._items(value)
            case TypedArray(kind, data):
                return {"$typed": [kind, _b64(data)]}
            case ErrorValue(name, message):
                return {"$error": {"name": name, "message": message}}
            case RegExpValue(source, flags):
                return {"$regexp": [source, flags]}
            case StreamValue(number, chunks, size, preview):
                return {"$stored": [number, chunks, size, preview]}
            case Body():
                return {"$body": 1}
            case StubValue(owner, number):
                return {"$stub": [owner, number]}
        if self._convert is None:
            raise NotCloneable(f"a {type(value).__name__}")
        return self._node(self._convert(value))

    def _set_or_map(self, value: Any) -> Any:
        number = self._opened.get(id(value))
        if number is not None:
            return {"$ref": number}
        self._opened[id(value)] = len(self._held)
        self._held.append(value)
        if isinstance(value, MapValue):
            return {"$map": self._items(map(_Pair, value.pairs))}
        return {"$set": [_member(item) for item in value]}


def _where(stack: list[_Frame]) -> str:
    """Return where the value is that is being written, such as `"users[1].score"`."""
    steps = []
    for depth, (in_object, _, target, name) in enumerate(stack, 1):
        # What stands for a container is there already, and counts.
        index = len(target) - (depth < len(stack))
        if name is None:
            break
        steps.append(f".{name}" if in_object else f"[{index}]")
    shown = "".join(steps).removeprefix(".")
    if len(shown) <= _WHERE_MAX_CHARS:
        return shown
    half = _WHERE_MAX_CHARS // 2
    return f"{shown[:half]}…{shown[-half:]}"


def _key(key: Any) -> str:
    """Return a key as the name that JavaScript makes of it."""
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return _digits(int.__int__(key))
    if isinstance(key, float):
        number = _number(float.__float__(key))
        name = number["$number"] if isinstance(number, dict) else str(number)
        return "0" if name == "-0" else name
    raise _BadKey(f"the key {key!r}", f"is a {type(key).__name__}; object keys are strings")


def _member(item: Any) -> Any:
    """Return a member of a Set.

    A Python set can hold no container that comes back from JavaScript, and Pyodide sends none.
    Source: https://github.com/pyodide/pyodide/blob/main/src/core/python2js.c (_python2js_set).
    """
    if isinstance(item, str):
        return str.__str__(item)
    if item is None or isinstance(item, int | float):
        return to_tree(item, None)
    raise NotCloneable(
        f"a set with a {type(item).__name__}",
        "could not be cloned: a Set takes strings, numbers, booleans and None",
    )


def _number(value: float) -> Any:
    if value.is_integer():
        # JavaScript has one number type: 1.0 is 1 there, and comes back as 1.
        if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            if value == 0 and math.copysign(1, value) < 0:
                return {"$number": "-0"}
            return int(value)
        return value
    if value - value == 0:
        return value
    if math.isnan(value):
        return {"$number": "NaN"}
    return {"$number": "Infinity" if value > 0 else "-Infinity"}


def _digits(value: int) -> str:
    return str(value) if value.bit_length() <= _DIGITS_SAFE_BITS else hex(value)


def _date(value: datetime) -> int:
    try:
        return dates.milliseconds(value)
    except OverflowError:
        raise NotCloneable(
            f"the datetime {value.isoformat()}",
            "could not be cloned: in UTC it is outside the years 1 to 9999",
        ) from None


def _b64(data: Any) -> str:
    return base64.b64encode(data).decode("ascii")
