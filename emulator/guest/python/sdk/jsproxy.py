"""`JsProxy`: a JavaScript object or array of plain data as Python sees it, such as a JSON variable.

Attributes are its properties, `to_py()` makes a dict or a list of it. An object cannot be indexed,
iterated or measured: what is a TypeError deployed is one here, and says what to write instead.
Every answer was compared with Pyodide 0.28.
Source: https://pyodide.org/en/0.28.2/usage/api/python-api/ffi.html (JsProxy).
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Iterable, Iterator, MutableMapping, MutableSequence
from keyword import iskeyword
from types import SimpleNamespace
from typing import Any, NoReturn

from ..calling import relaxed_call
from .jsnull import UNDEFINED, JsNull, JsUndefined, jsnull
from .jstext import js_text

# Named so that no property of a variable has the same name.
_OWN = ("_js_target", "_js_where")


class JsProxy(metaclass=ABCMeta):  # noqa: B024  # its subclasses mix with abstract ones
    """What JavaScript has: an object of any kind, seen from Python."""

    __slots__ = ()
    __hash__: Any = None  # as in Pyodide

    def __eq__(self, other: object) -> bool:
        return self is other

    def __bool__(self) -> bool:
        return True

    def _read(self) -> Any:
        """Return what Python gets that reads it from an object or array."""
        return self

    def _plain(self) -> Any:
        """Return the plain data that it stands for; itself if there is none."""
        return self

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> Any:
        """Return it as Python has it: itself, or what `default_converter` makes of it."""
        return to_py(self, default_converter, depth)

    def _to_py(self, conversion: Any, depth: int, default_converter: Any) -> Any:
        """Return what Python has for it."""
        if default_converter is None:
            return self
        return default_converter(
            self, lambda value: conversion.of(value, depth), lambda value, made: None
        )

    @property
    def typeof(self) -> str:
        """`"object"`."""
        return "object"

    @property
    def js_id(self) -> int:
        """The same number for the same object."""
        return id(self)

    @property
    def constructor(self) -> Any:
        """Has a `name`."""
        return SimpleNamespace(name=type(self).__name__)

    def object_keys(self) -> JsProxy:
        """Return the names of its properties: it has none of its own."""
        return JsArrayProxy([], "Object.keys(…)")

    def object_values(self) -> JsProxy:
        """Return the values of its properties."""
        return JsArrayProxy([], "Object.values(…)")

    def object_entries(self) -> JsProxy:
        """Return pairs of both."""
        return JsArrayProxy([], "Object.entries(…)")


class DataProxy(JsProxy):
    """A JavaScript object or array of plain data."""

    __slots__ = _OWN
    __hash__ = None

    def __init__(self, target: Any, where: str) -> None:
        object.__setattr__(self, "_js_target", target)
        object.__setattr__(self, "_js_where", where)

    def __getattr__(self, name: str) -> Any:
        key = _property(name)
        target = self._js_target
        if isinstance(target, dict) and key in target:
            return proxied(target[key], f"{self._js_where}.{name}")
        if name.startswith("__"):  # introspection, e.g. by inspect or copy
            raise AttributeError(name)
        raise AttributeError(f"{name}: {self._js_where} has {_listed(target)}")

    def __setattr__(self, name: str, value: Any) -> None:
        self._js_target[_property(name)] = plain(value)

    def __delattr__(self, name: str) -> None:
        try:
            del self._js_target[_property(name)]
        except (KeyError, TypeError):
            raise AttributeError(name) from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *map(str, _names(self._js_target))} - {*_OWN})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataProxy) and other._js_target is self._js_target

    def _plain(self) -> Any:
        return self._js_target

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return _string(self._js_target)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"cannot pickle 'pyodide.ffi.JsProxy' object; {_hint(self)}")

    def __getitem__(self, key: Any) -> Any:
        _refuse(self, "object is not subscriptable")

    def __contains__(self, key: Any) -> bool:
        _refuse(self, "object cannot be searched with `in`")

    def __iter__(self) -> Iterator[Any]:
        _refuse(self, "object is not iterable")

    def __len__(self) -> int:
        raise TypeError(f"object of type 'pyodide.ffi.JsProxy' has no len(); {_hint(self)}")

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> Any:
        """Return a dict or list of it; below `depth` levels, if that is not negative, proxies."""
        return to_py(self, default_converter, depth)

    def object_keys(self) -> JsProxy:
        """Return the names of its properties."""
        return JsArrayProxy(_names(self._js_target), self._js_where)

    def object_values(self) -> JsProxy:
        """Return the values of its properties."""
        return JsArrayProxy(_values(self._js_target), self._js_where)

    def object_entries(self) -> JsProxy:
        """Return pairs of both."""
        pairs = zip(_names(self._js_target), _values(self._js_target), strict=True)
        return JsArrayProxy([list(pair) for pair in pairs], self._js_where)

    def as_object_map(self, *, hereditary: bool = False) -> JsProxy:
        """Return it as a mapping, which can be indexed; `hereditary`: what is in it too."""
        return _Map(self._js_target, self._js_where, hereditary)

    def as_py_json(self) -> JsProxy:
        """Return it as a mapping, and what is in it too."""
        return self.as_object_map(hereditary=True)

    def toString(self) -> str:  # JavaScript's name
        """Return what `str()` gives."""
        return _string(self._js_target)

    def hasOwnProperty(self, name: str) -> bool:  # JavaScript's name
        """Whether it has this property."""
        return name in _names(self._js_target)

    @property
    def typeof(self) -> str:
        """`"object"`."""
        return "object"

    @property
    def js_id(self) -> int:
        """The same number for the same object."""
        return id(self._js_target)

    @property
    def constructor(self) -> Any:
        """Has a `name`: `"Object"` or `"Array"`."""
        return SimpleNamespace(name="Array" if isinstance(self._js_target, list) else "Object")


class JsArrayProxy(DataProxy, MutableSequence[Any]):
    """A JavaScript array: a sequence, but not a list."""

    __slots__ = ()
    __iter__ = MutableSequence.__iter__
    __contains__ = MutableSequence.__contains__

    def __getitem__(self, index: Any) -> Any:
        try:
            return proxied(self._js_target[index], f"{self._js_where}[{index}]")
        except IndexError:
            raise IndexError(index) from None

    def __setitem__(self, index: Any, value: Any) -> None:
        self._js_target[index] = plain(value)

    def __delitem__(self, index: Any) -> None:
        del self._js_target[index]

    def __len__(self) -> int:
        return len(self._js_target)

    def __bool__(self) -> bool:
        return bool(self._js_target)

    def __add__(self, other: Iterable[Any]) -> JsProxy:
        return JsArrayProxy([*self._js_target, *map(plain, other)], self._js_where)

    def __mul__(self, times: int) -> JsProxy:
        return JsArrayProxy(self._js_target * times, self._js_where)

    def insert(self, index: int, value: Any) -> None:
        """Put a value before `index`."""
        self._js_target.insert(index, plain(value))

    @property
    def length(self) -> int:
        """How many items it has."""
        return len(self._js_target)

    def join(self, between: str = ",") -> str:
        """Return the items as one text."""
        return between.join(map(_string, self._js_target))

    def includes(self, value: Any) -> bool:
        """Whether an item is `value`."""
        return value in self

    def push(self, *values: Any) -> int:
        """Put values at the end; return the new length."""
        self.extend(values)
        return len(self)

    def at(self, index: int) -> Any:
        """Return an item; None if there is none."""
        return self[index] if -len(self) <= index < len(self) else None

    def slice(self, start: int | None = None, end: int | None = None) -> JsProxy:
        """Return a part."""
        return JsArrayProxy(self._js_target[start:end], self._js_where)

    def concat(self, *others: Any) -> JsProxy:
        """Return its items and those of others."""
        items = list(self._js_target)
        for other in others:
            items += plain(other) if isinstance(other, JsArrayProxy) else [plain(other)]
        return JsArrayProxy(items, self._js_where)

    def map(self, function: Callable[..., Any]) -> JsProxy:
        """Return what a function makes of each item; it gets item, index and array."""
        made = [plain(call_with(function, item, n, self)) for n, item in enumerate(self)]
        return JsArrayProxy(made, "this array")

    def filter(self, function: Callable[..., Any]) -> JsProxy:
        """Return the items of which a function says yes."""
        kept = [plain(item) for n, item in enumerate(self) if call_with(function, item, n, self)]
        return JsArrayProxy(kept, "this array")

    def forEach(self, function: Callable[..., Any]) -> None:  # JavaScript's name
        """Call a function for each item."""
        for n, item in enumerate(self):
            call_with(function, item, n, self)

    def find(self, function: Callable[..., Any]) -> Any:
        """Return the first item of which a function says yes; None if there is none."""
        found = (item for n, item in enumerate(self) if call_with(function, item, n, self))
        return next(found, None)

    def sort(self) -> JsProxy:
        """Sort it by the texts of its items."""
        self._js_target.sort(key=_string)
        return self

    def indexOf(self, value: Any) -> int:  # JavaScript's name
        """Return where a value stands first; -1 if it does not."""
        return self.index(value) if value in self else -1


class _Map(DataProxy, MutableMapping[str, Any]):
    """A JavaScript object as a mapping."""

    __slots__ = ("_hereditary",)
    __contains__ = MutableMapping.__contains__

    def __init__(self, target: Any, where: str, hereditary: bool) -> None:
        super().__init__(target, where)
        object.__setattr__(self, "_hereditary", hereditary)

    def __getitem__(self, key: Any) -> Any:
        found = proxied(self._js_target[key], f"{self._js_where}.{key}")
        if self._hereditary and isinstance(found, DataProxy):
            return found.as_object_map(hereditary=True)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        self._js_target[key] = plain(value)

    def __delitem__(self, key: Any) -> None:
        del self._js_target[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._js_target)

    def __len__(self) -> int:
        return len(self._js_target)

    __eq__ = DataProxy.__eq__


for _class in (JsProxy, DataProxy, JsArrayProxy, _Map):  # one type for who looks at it
    _class.__module__, _class.__name__, _class.__qualname__ = "pyodide.ffi", "JsProxy", "JsProxy"


class _JsArrayType(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, JsArrayProxy)


class JsArray(metaclass=_JsArrayType):
    """What `isinstance` says of arrays."""


def proxied(value: Any, where: str) -> Any:
    """Return JSON as JavaScript hands it to Python; `where` is what user code wrote to get it."""
    if value is None:
        return jsnull
    if value is UNDEFINED:
        return None
    if isinstance(value, dict):
        return DataProxy(value, where)
    if isinstance(value, list):
        return JsArrayProxy(value, where)
    return value._read() if isinstance(value, JsProxy) else value


def plain(value: Any) -> Any:
    """Return `value`, or the plain data that a proxy stands for."""
    if isinstance(value, JsProxy):
        return value._plain()
    return None if isinstance(value, JsNull) else value


def to_py(value: Any, default_converter: Any = None, depth: int = -1) -> Any:
    """Return what `JsProxy.to_py` gives: Python's own containers, `depth` levels of them or all.

    `default_converter(value, convert, remember)` converts what Python has nothing for.
    """
    return _Conversion(default_converter).of(value, depth)


class _Conversion:
    """One conversion: what occurs twice is one object in the result."""

    def __init__(self, default_converter: Any) -> None:
        self._default = default_converter
        self._made: dict[int, Any] = {}

    def of(self, value: Any, depth: int) -> Any:
        if value is UNDEFINED:
            return None
        if value is None:
            return jsnull
        target = value._js_target if isinstance(value, DataProxy) else value
        if isinstance(target, dict | list):
            if depth == 0:
                return proxied(target, "this")
            if id(target) not in self._made:
                self._fill(target, depth - 1)
            return self._made[id(target)]
        return value._to_py(self, depth, self._default) if isinstance(value, JsProxy) else value

    def _fill(self, target: Any, depth: int) -> None:
        if isinstance(target, list):
            made: Any = []
            self._made[id(target)] = made
            made.extend(self.of(item, depth) for item in target)
        else:
            made = self._made[id(target)] = {}
            for key, item in target.items():
                made[key] = self.of(item, depth)


def call_with(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the user's as JavaScript does: with as many arguments as it takes."""
    return relaxed_call(getattr(function, "_js_python", function), *arguments)


def _refuse(proxy: DataProxy, what: str) -> NoReturn:
    raise TypeError(f"'pyodide.ffi.JsProxy' {what}; {_hint(proxy)}")


def _hint(proxy: DataProxy) -> str:
    where, kind = proxy._js_where, proxy.constructor.name.lower()
    use = f"list({where})" if kind == "array" else "its attributes"
    return f"{where} is a JavaScript {kind}: use {use}, or {where}.to_py()"


def _names(target: Any) -> list[str]:
    return list(target) if isinstance(target, dict) else [str(n) for n in range(len(target))]


def _values(target: Any) -> list[Any]:
    return list(target.values()) if isinstance(target, dict) else list(target)


def _string(value: Any) -> str:
    match value:
        case dict():
            return "[object Object]"
        case list():
            return ",".join(map(_string, value))
        case None | JsUndefined():  # of an array
            return ""
    return js_text(value)


def _property(name: str) -> str:
    """`from_` is how `from` is written in Python."""
    return name[:-1] if name.endswith("_") and iskeyword(name[:-1]) else name


def _listed(target: Any) -> str:
    if isinstance(target, list):
        return "no such property that Groundfog emulates; it is an array, to_py() makes a list"
    names = ", ".join(map(str, target)) or "no properties"
    return f"{names}; it is a JavaScript object, to_py() makes a dict"
