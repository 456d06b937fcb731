"""Python objects as JavaScript holds them: what `create_proxy` makes, and what unwraps it."""

from __future__ import annotations

from typing import Any

from ..jserror import JsException
from ..jsproxy import JsProxy

_GONE = object()
_DESTROYED = "Object has already been destroyed"
_OWN = ("_js_python",)


class JsDoubleProxy(JsProxy):
    """A Python object that JavaScript may keep. It behaves as the object itself."""

    __slots__ = _OWN

    def __init__(self, value: Any) -> None:
        object.__setattr__(self, "_js_python", value)

    def unwrap(self) -> Any:
        """Return the object. Raises JsException once it is destroyed."""
        value = self._js_python
        if value is _GONE:
            raise JsException(_DESTROYED, "Error")
        return value

    def destroy(self) -> None:
        """Let the object go; it cannot be used through this any more."""
        object.__setattr__(self, "_js_python", _GONE)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self.unwrap()(*args, **keywords)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unwrap(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.unwrap(), name, value)

    def __await__(self) -> Any:
        return self.unwrap().__await__()

    def __iter__(self) -> Any:
        return iter(self.unwrap())

    def __len__(self) -> int:
        return len(self.unwrap())

    def __getitem__(self, key: Any) -> Any:
        return self.unwrap()[key]

    def _hash(self) -> int:
        return id(self._js_python)

    __hash__ = _hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsDoubleProxy) and other._js_python is self._js_python

    def __repr__(self) -> str:
        return str(self.unwrap())

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> Any:
        """Return the object."""
        return self.unwrap()

    def _to_py(self, conversion: Any, depth: int, default_converter: Any) -> Any:
        return self.unwrap()

    def _plain(self) -> Any:
        return self.unwrap()

    _read = _plain


def python_of(value: Any) -> Any:
    """Return the Python object that a proxy was made of, and all else unchanged."""
    return value.unwrap() if isinstance(value, JsDoubleProxy) else value


class OnceProxy(JsDoubleProxy):
    """A function that can be called once."""

    __slots__ = ()

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        value = self._js_python
        if value is _GONE:
            raise JsException("OnceProxy can only be called once", "Error")
        self.destroy()
        return value(*args, **keywords)


for _class in (JsDoubleProxy, OnceProxy):
    _class.__module__, _class.__name__ = "pyodide.ffi", "JsProxy"
