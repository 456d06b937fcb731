"""`Reflect` and `Proxy`: what looks at an object, and what stands for one.

Source: https://tc39.es/ecma262/#sec-reflection.
"""

from __future__ import annotations

from typing import Any

from ..jserror import JsException
from ..jsobject import JsObject
from ..jsproxy import DataProxy, JsArrayProxy, JsProxy, call_with, plain
from ..jstext import js_text
from .collections import Object
from .functions import python_of

_OWN = ("_js_of", "_js_handler")


class Reflect(JsObject):
    """What operators do, as functions."""

    @staticmethod
    def get(target: Any, name: Any, receiver: Any = None) -> Any:
        """Return a property; None if it is undefined."""
        if isinstance(target, JsArrayProxy) and _is_index(name):
            return target[int(name)] if int(name) < len(target) else None
        return getattr(target, js_text(name), None)

    @staticmethod
    def set(target: Any, name: Any, value: Any, receiver: Any = None) -> bool:
        """Set a property; return whether that was possible."""
        if isinstance(target, JsArrayProxy) and _is_index(name):
            target[int(name)] = value
        else:
            setattr(target, js_text(name), value)
        return True

    @staticmethod
    def has(target: Any, name: Any) -> bool:
        """Whether there is a property."""
        if isinstance(target, JsArrayProxy) and _is_index(name):
            return int(name) < len(target)
        return hasattr(target, js_text(name))

    @staticmethod
    def deleteProperty(target: Any, name: Any) -> bool:  # JavaScript's name
        """Remove a property; return whether it is gone."""
        if Reflect.has(target, name):
            delattr(target, js_text(name))
        return True

    @staticmethod
    def ownKeys(target: Any) -> JsProxy:  # JavaScript's name
        """Return the names of the properties."""
        if isinstance(target, _Standing):
            return target.object_keys()
        keys: Any = Object.keys(target)
        names = list(keys)
        length = ["length"] if isinstance(target, JsArrayProxy) else []
        return JsArrayProxy([*names, *length], "Reflect.ownKeys(…)")

    @staticmethod
    def apply(function: Any, this: Any, arguments: Any) -> Any:
        """Call a function."""
        return call_with(function, *arguments)

    @staticmethod
    def construct(cls: Any, arguments: Any) -> Any:
        """Return an instance of a class."""
        return cls.new(*arguments)


class Proxy(JsObject):
    """`Proxy.new(target, handler)`: an object whose handler has a say."""

    def __new__(cls, target: Any = None, handler: Any = None) -> Any:
        """Return what stands for `target`."""
        target, handler = python_of(target), python_of(handler)
        if not isinstance(target, JsProxy) and not callable(target):
            text = "Cannot create proxy with a non-object as target or handler"
            raise JsException(text, "TypeError")
        return _Standing(target, handler)


class _Standing(JsProxy):
    """What stands for another object: a trap is called in place of what it is named for."""

    __slots__ = _OWN
    __hash__ = None

    def __init__(self, target: Any, handler: Any) -> None:
        object.__setattr__(self, "_js_of", target)
        object.__setattr__(self, "_js_handler", handler)

    def _trapped(self, name: str, plainly: Any, *arguments: Any) -> Any:
        """Call a trap, or do what happens without it."""
        handler = self._js_handler
        trap = handler.get(name) if isinstance(handler, dict) else getattr(handler, name, None)
        if trap is None:
            return plainly(self._js_of, *arguments)
        receiver = (self,) if name in ("get", "set") else ()
        return call_with(trap, self._js_of, *arguments, *receiver)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # introspection, e.g. by inspect or copy
            raise AttributeError(name)
        value = self._trapped("get", Reflect.get, name)
        if value is None and not self._trapped("has", Reflect.has, name):
            raise AttributeError(name)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if not self._trapped("set", Reflect.set, name, value):
            text = f"'set' on proxy: trap returned falsish for property '{name}'"
            raise JsException(text, "TypeError")

    def __delattr__(self, name: str) -> None:
        if not self._trapped("deleteProperty", Reflect.deleteProperty, name):
            text = f"'deleteProperty' on proxy: trap returned falsish for property '{name}'"
            raise JsException(text, "TypeError")

    def __call__(self, *arguments: Any) -> Any:
        def plainly(target: Any, this: Any, given: Any) -> Any:
            return call_with(target, *given)

        return self._trapped("apply", plainly, None, JsArrayProxy(list(arguments), "arguments"))

    def new(self, *arguments: Any) -> Any:
        """Return an instance, of a class that it stands for."""
        given = JsArrayProxy(list(arguments), "arguments")
        return self._trapped("construct", Reflect.construct, given)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(self._js_of, JsArrayProxy):
            return self._js_of[key]
        return self._trapped("get", Reflect.get, js_text(key))

    def __iter__(self) -> Any:
        return iter(self._js_of)

    def __len__(self) -> int:
        return len(self._js_of)

    def object_keys(self) -> JsProxy:
        """Return the names of its properties."""
        names = self._trapped("ownKeys", lambda target: Object.keys(target))
        return JsArrayProxy(list(plain(names) or ()), "Object.keys(…)")

    def __repr__(self) -> str:
        return str(self._js_of)

    def _plain(self) -> Any:
        return plain(self._js_of) if isinstance(self._js_of, DataProxy) else self


def _is_index(name: Any) -> bool:
    return js_text(name).isdecimal()


_Standing.__module__, _Standing.__name__ = "pyodide.ffi", "JsProxy"
