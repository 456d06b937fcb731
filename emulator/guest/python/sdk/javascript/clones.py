"""`structuredClone`. Source: https://html.spec.whatwg.org/#structured-cloning."""

from __future__ import annotations

from typing import Any

from ..jserror import JsException
from ..jsproxy import DataProxy, JsArrayProxy, JsProxy
from .buffers import ArrayBuffer, TypedArray
from .collections import Map, Set
from .dates import Date


def structuredClone(value: Any, given: Any = None) -> Any:  # JavaScript's name
    """Return a deep copy. Raises JsException "DataCloneError" for what cannot be copied."""
    return _Cloning().of(value)


class _Cloning:
    def __init__(self) -> None:
        self._made: dict[int, Any] = {}

    def of(self, value: Any) -> Any:
        if isinstance(value, DataProxy):
            data = self._data(value._js_target)
            kind = JsArrayProxy if isinstance(data, list) else DataProxy
            return kind(data, "this clone")
        match value:
            case JsException():
                return JsException(value.message, value.name)
            case Date():
                return Date(value)
            case Set():
                return Set(map(self.of, value))
            case Map():
                return Map([[self.of(key), self.of(value[key])] for key in value])
            case ArrayBuffer():
                return value.slice()
            case TypedArray():
                return value.slice()
            case JsProxy():
                raise JsException(f"{value} could not be cloned.", "DataCloneError")
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise JsException(f"{value} could not be cloned.", "DataCloneError")  # a proxy of Python's

    def _data(self, target: Any) -> Any:
        """Copy the lists and dicts behind objects and arrays."""
        if not isinstance(target, dict | list):
            return self.of(target)
        if id(target) in self._made:
            return self._made[id(target)]
        if isinstance(target, list):
            made: Any = []
            self._made[id(target)] = made
            made.extend(map(self._data, target))
        else:
            made = self._made[id(target)] = {}
            made.update((key, self._data(item)) for key, item in target.items())
        return made
