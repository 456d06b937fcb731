"""`Error` and its kinds. An instance is what Python sees of any error of the platform."""

from __future__ import annotations

import traceback
from typing import Any

from ..jserror import JsException
from ..jsobject import JsClass, options
from ..jstext import js_text


class _ErrorClass(JsClass):
    """The type of these classes. Also without `new`, calling one makes an instance."""

    def __call__(cls, message: Any = None, given: Any = None, **keywords: Any) -> JsException:
        text = "" if message is None else js_text(message)
        cause = options(given, keywords).get("cause")
        error = JsException(text, cls.__name__, cause if isinstance(cause, JsException) else None)
        frames = "".join(traceback.format_stack()[:-1])
        error.stack = f"{error}\n{frames}"
        return error

    _is_called = True

    def new(cls, *args: Any, **keywords: Any) -> JsException:
        """Return an instance."""
        return cls(*args, **keywords)

    def __instancecheck__(cls, value: Any) -> bool:
        named = isinstance(value, JsException) and (value.name == cls.__name__ or cls is Error)
        return named


class Error(metaclass=_ErrorClass):
    """Any error."""

    stackTraceLimit = 10


def _kind(name: str) -> Any:
    return _ErrorClass(name, (), {"__doc__": f"`{name}`."})


TypeError_, RangeError, SyntaxError_ = map(_kind, ("TypeError", "RangeError", "SyntaxError"))
ReferenceError_, EvalError, URIError = map(_kind, ("ReferenceError", "EvalError", "URIError"))
