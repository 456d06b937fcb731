"""`Map` and `Set`, and the namespaces `Object` and `Array`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from ..jsnull import UNDEFINED
from ..jsobject import JsObject, array_of, options
from ..jsproxy import DataProxy, JsArrayProxy, JsProxy, call_with, plain, proxied
from ..jstext import MOST_SAFE
from .functions import JsDoubleProxy


def stored(value: Any) -> Any:
    """Return a value of Python's as an object or array of JavaScript's holds it."""
    match value:
        case None:
            return UNDEFINED
        case float() if value.is_integer() and abs(value) <= MOST_SAFE:
            return int(value)
        case DataProxy():
            return value._js_target
        case dict() | list():
            return JsDoubleProxy(value)
    return value


class Map(JsObject, MutableMapping[Any, Any]):
    """Keys of any kind, in the order in which they were set."""

    def __init__(self, entries: Any = None) -> None:
        self._items: dict[Any, Any] = {}
        for key, value in array_of(entries):
            self._items[key] = stored(value)

    def __getitem__(self, key: Any) -> Any:
        return proxied(self._items[key], "a value of a Map")

    def __setitem__(self, key: Any, value: Any) -> None:
        self._items[key] = stored(value)

    def __delitem__(self, key: Any) -> None:
        del self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __bool__(self) -> bool:
        return bool(self._items)

    __eq__ = JsProxy.__eq__
    __contains__ = MutableMapping.__contains__

    def set(self, key: Any, value: Any) -> Map:
        """Set a value; return the Map."""
        self[key] = value
        return self

    def has(self, key: Any) -> bool:
        """Whether a key is there."""
        return key in self._items

    def delete(self, key: Any) -> bool:
        """Remove a key; return whether it was there."""
        return self._items.pop(key, self) is not self

    @property
    def size(self) -> int:
        """How many keys it has."""
        return len(self._items)

    def entries(self) -> JsProxy:
        """Return pairs of keys and values."""
        return JsArrayProxy([[key, value] for key, value in self._items.items()], "Map.entries()")

    def forEach(self, function: Any) -> None:  # JavaScript's name
        """Call `function(value, key, map)` for each."""
        for key in list(self._items):
            call_with(function, self[key], key, self)

    def _plain(self) -> Any:
        return {key: plain(value) for key, value in self._items.items()}

    def _to_py(self, conversion: Any, depth: int, default_converter: Any) -> Any:
        return conversion.of(self._items, depth)


class LiteralMap(Map):
    """What `to_js` makes of a dict: a Map whose keys can be read as attributes too."""

    def __getattr__(self, name: str) -> Any:
        items = self.__dict__.get("_items", {})
        return self[name] if name in items else super().__getattr__(name)

    def __bool__(self) -> bool:
        return True

    def toString(self) -> str:  # JavaScript's name
        """Return what `str()` gives."""
        return "[object Map]"


class Set(JsObject):
    """Values, each once, in the order in which they were added."""

    def __init__(self, values: Any = None) -> None:
        self._items = dict.fromkeys(array_of(values))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, value: Any) -> bool:
        return value in self._items

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, value: Any) -> Set:
        """Add a value; return the Set."""
        self._items[value] = None
        return self

    def has(self, value: Any) -> bool:
        """Whether a value is there."""
        return value in self._items

    def delete(self, value: Any) -> bool:
        """Remove a value; return whether it was there."""
        return self._items.pop(value, self) is None

    def clear(self) -> None:
        """Remove all."""
        self._items.clear()

    @property
    def size(self) -> int:
        """How many values it has."""
        return len(self._items)

    def values(self) -> Iterator[Any]:
        """Return the values."""
        return iter(self)

    keys = values

    def _plain(self) -> Any:
        return set(self._items)

    def _to_py(self, conversion: Any, depth: int, default_converter: Any) -> Any:
        return set(self._items)


class Object(JsObject):
    """`Object.fromEntries`, the usual `dict_converter`, and what looks at an object."""

    _is_called = True

    def __new__(cls, **members: Any) -> Any:
        """Return an object."""
        return DataProxy({key: stored(value) for key, value in members.items()}, "this object")

    @staticmethod
    def fromEntries(entries: Iterable[Any]) -> JsProxy:  # JavaScript's name
        """Return an object of pairs."""
        return DataProxy({str(key): stored(value) for key, value in entries}, "this object")

    @staticmethod
    def keys(value: Any) -> JsProxy:
        """Return the names of its properties."""
        if _is_ours(value):
            return value.object_keys()  # type: ignore[no-any-return]
        return JsArrayProxy(list(_members(value)), "Object.keys(…)")

    @staticmethod
    def values(value: Any) -> JsProxy:
        """Return the values of its properties."""
        if _is_ours(value):
            return value.object_values()  # type: ignore[no-any-return]
        return JsArrayProxy(list(_members(value).values()), "Object.values(…)")

    @staticmethod
    def entries(value: Any) -> JsProxy:
        """Return pairs of both."""
        if _is_ours(value):
            return value.object_entries()  # type: ignore[no-any-return]
        pairs = [[key, item] for key, item in _members(value).items()]
        return JsArrayProxy(pairs, "Object.entries(…)")

    @staticmethod
    def assign(target: Any, *sources: Any) -> Any:
        """Set the properties of others on `target`; return it."""
        for source in sources:
            for key, value in _members(source).items():
                setattr(target, key, proxied(value, key))
        return target


class Array(JsObject):
    """Makes arrays."""

    _is_called = True

    def __new__(cls, *items: Any) -> Any:
        """Return an array of these items, or of so many of nothing."""
        if len(items) == 1 and type(items[0]) is int:
            return JsArrayProxy([UNDEFINED] * items[0], "this array")
        return JsArrayProxy(list(map(stored, items)), "this array")

    @staticmethod
    def of(*items: Any) -> JsProxy:
        """Return an array of these items."""
        return JsArrayProxy(list(map(stored, items)), "this array")

    @staticmethod
    def from_(items: Iterable[Any]) -> JsProxy:
        """Return an array of what can be iterated."""
        return JsArrayProxy(list(map(stored, items)), "this array")

    @staticmethod
    def isArray(value: Any) -> bool:  # JavaScript's name
        """Whether a value is an array."""
        return isinstance(value, JsArrayProxy)


def _is_ours(value: Any) -> bool:
    """Whether a value is an instance of one of the classes here, such as a WebSocketPair."""
    return isinstance(value, JsObject) and not isinstance(value, Map | Set)


def _members(value: Any) -> dict[str, Any]:
    if isinstance(value, JsArrayProxy):
        return {str(n): item for n, item in enumerate(value._js_target)}
    return value._js_target if isinstance(value, DataProxy) else options(value, {})
