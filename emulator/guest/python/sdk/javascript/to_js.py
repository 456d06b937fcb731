"""`to_js`: Python's containers as JavaScript's.

Source: https://pyodide.org/en/0.28.2/usage/api/python-api/ffi.html (to_js).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..jsnull import JsNull
from ..jsproxy import JsArrayProxy, JsProxy
from .buffers import array_of_buffer
from .collections import LiteralMap, Set, stored
from .functions import JsDoubleProxy, python_of

_PRIMITIVES = (str, int, float, bool, JsNull, type(None))
_UNCHANGED = (*_PRIMITIVES, JsProxy)


class ConversionError(Exception):
    """An object that JavaScript has nothing for."""


class _Conversion:
    """One conversion: what occurs twice is one object in the result, also in a cycle."""

    def __init__(
        self,
        create_pyproxies: bool,
        dict_converter: Callable[[Iterable[Any]], Any] | None,
        default_converter: Callable[[Any, Any, Any], Any] | None,
        eager_converter: Callable[[Any, Any, Any], Any] | None,
    ) -> None:
        self._create_pyproxies = create_pyproxies
        self._dict_converter = dict_converter
        self._default_converter = default_converter
        self._eager_converter = eager_converter
        self._made: dict[int, tuple[Any, Any]] = {}  # with the original, so that its id stays its

    def of(self, value: Any, depth: int) -> Any:
        if id(value) in self._made:
            return self._made[id(value)][1]
        if self._eager_converter is not None and not isinstance(value, _PRIMITIVES):
            return self._eager_converter(value, lambda v: self._of(v, depth), self._remember)
        return self._of(value, depth)

    def _of(self, value: Any, depth: int) -> Any:
        if isinstance(value, _UNCHANGED):
            return value
        if depth == 0:
            return JsDoubleProxy(value)
        match value:
            case list() | tuple():
                items: list[Any] = []
                array = self._remember(value, JsArrayProxy(items, "this array"))
                items.extend(stored(self.of(item, depth - 1)) for item in value)
                return array
            case dict():
                return self._dict(value, depth)
            case set() | frozenset():
                return Set(self.of(item, depth - 1) for item in value)
        try:
            view = memoryview(value)
        except (TypeError, ValueError, BufferError):
            return self._other(value, depth)
        return array_of_buffer(view)

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        if self._dict_converter is None:
            made = self._remember(value, LiteralMap())
            for key, item in value.items():
                made[key] = self.of(item, depth - 1)
            return made
        pairs = [[key, stored(self.of(item, depth - 1))] for key, item in value.items()]
        entries = JsArrayProxy(pairs, "entries")
        return self._remember(value, python_of(self._dict_converter)(entries))

    def _other(self, value: Any, depth: int) -> Any:
        if self._default_converter is not None:
            convert = python_of(self._default_converter)
            return convert(value, lambda other: self.of(other, depth), self._remember)
        if self._create_pyproxies:
            return value
        raise ConversionError("No conversion known for x.")

    def _remember(self, value: Any, made: Any) -> Any:
        self._made[id(value)] = value, made
        return made


def to_js(
    obj: Any,
    /,
    *,
    depth: int = -1,
    pyproxies: Any = None,
    create_pyproxies: bool = True,
    dict_converter: Callable[[Iterable[Any]], Any] | None = None,
    default_converter: Callable[[Any, Any, Any], Any] | None = None,
    eager_converter: Callable[[Any, Any, Any], Any] | None = None,
) -> Any:
    """Return `obj` as JavaScript has it: arrays, Maps, Sets, typed arrays, or a proxy of it.

    depth: levels of containers that are converted; all if negative. Raises ConversionError for an
    object that has no conversion, if no proxies are wanted.
    """
    conversion = _Conversion(create_pyproxies, dict_converter, default_converter, eager_converter)
    made = conversion.of(obj, depth)
    if made is obj and not isinstance(obj, _UNCHANGED):
        return JsDoubleProxy(obj)
    return made


ConversionError.__module__ = "pyodide.ffi"
