"""Classes that `js` has too, written in Python, and their instances.

Their members have JavaScript's names. A member that is absent says that it is not emulated.
"""

from __future__ import annotations

import importlib
import sys
from abc import ABCMeta
from collections.abc import Callable
from keyword import iskeyword
from typing import Any, NoReturn

from ..tracebacks import is_ours
from .absent import TEXT
from .jserror import JsException
from .jsproxy import JsProxy

_VIEWS: dict[type, Callable[[Any], Any]] = {}


class JsClass(ABCMeta):
    """The type of such a class. User code makes an instance with `new`."""

    _is_called = False  # whether user code may call the class itself

    def __call__(cls, *args: Any, **keywords: Any) -> Any:
        if not cls._is_called and not is_ours(sys._getframe(1).f_code.co_filename):
            text = f"Class constructor {cls.__name__} cannot be invoked without 'new'"
            raise JsException(f"{text}: {cls.__name__}.new(…)", "TypeError")
        return super().__call__(*args, **keywords)

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"js.{cls.__name__}.{name} is not available: {TEXT}")

    def new(cls, *args: Any, **keywords: Any) -> Any:
        """Return an instance."""
        return cls(*args, **keywords)

    @property
    def name(cls) -> str:
        """The name of the class."""
        return cls.__name__

    def __str__(cls) -> str:
        return f"class {cls.__name__} {{ [native code] }}"


class JsObject(JsProxy, metaclass=JsClass):
    """An instance of such a class."""

    __slots__ = ()
    __hash__ = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.endswith("_") and iskeyword(name[:-1]):
            return getattr(self, name[:-1])
        kind = type(self).__name__
        raise AttributeError(f"{kind!r} object has no attribute {name!r}: {TEXT}")

    @property
    def constructor(self) -> Any:
        """Its class."""
        return type(self)

    def __repr__(self) -> str:
        return self.toString()

    def toString(self) -> str:  # JavaScript's name
        """Return what `str()` gives."""
        return f"[object {type(self).__name__}]"


def options(given: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the members of an options object, or of the keywords that stand for one."""
    if given is None:
        return keywords
    data = given._plain() if isinstance(given, JsProxy) else given
    if not isinstance(data, dict):
        raise JsException(f"An object of options is needed, not {given!r}.", "TypeError")
    return data


def show_as(own: type, view: Callable[[Any], Any]) -> None:
    """Have `js_object` of the SDK's class `own` return what `view` makes of an instance."""
    _VIEWS[own] = view


def shown(own: Any) -> Any:
    """Return an object of the SDK's under JavaScript's names."""
    view = _view_of(type(own))
    if view is None:
        importlib.import_module(f"{__package__}.js")  # its classes say how; most workers need none
        view = _view_of(type(own))
    assert view is not None
    return view(own)


def _view_of(cls: type) -> Callable[[Any], Any] | None:
    return next((_VIEWS[kind] for kind in cls.__mro__ if kind in _VIEWS), None)


def is_named(value: Any, *names: str) -> bool:
    """Whether a value is an instance of one of the classes of `js` with these names."""
    return isinstance(value, JsObject) and type(value).__name__ in names


def array_of(values: Any) -> Any:
    """Return the items of an array or another iterable as a list; None as an empty one."""
    return [] if values is None else list(values)
