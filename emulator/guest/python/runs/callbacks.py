"""The callback of a step: how its function is called, and what it takes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import CodeType, FunctionType
from typing import Any

from .outputs import fresh

Function = Callable[..., Any]
_CTX = "ctx"


class StepCallback:
    """Calls a step's function with its dependencies' results and, where it asks, `ctx`."""

    __slots__ = ("function", "delay", "_values", "_parameters", "wants_ctx")

    def __init__(self, function: Function, values: dict[str, Any], delay: Any = None) -> None:
        self.delay = delay
        self.function = function
        self._values = values
        self._parameters = _parameters(function)
        self.wants_ctx = bool(self._parameters) and any(n == _CTX for n, _ in self._parameters)

    def __call__(self, ctx: Any) -> Any:
        if not self._parameters:
            return self.function()
        positional, keywords = [], {}
        for name, keyword_only in self._parameters:
            value = ctx if name == _CTX else fresh(self._values[name])
            if keyword_only:
                keywords[name] = value
            else:
                positional.append(value)
        return self.function(*positional, **keywords)


def dependency_names(function: Function) -> list[str]:
    """Return the parameters that take results of other steps."""
    parameters = _parameters(function)
    return [name for name, _ in parameters if name != _CTX] if parameters else []


def _parameters(function: Function) -> tuple[tuple[str, bool], ...]:
    """Return each parameter's name, `*args` and `**kwargs` included, and if it is keyword-only."""
    if type(function) is FunctionType and not hasattr(function, "__wrapped__"):
        return _parameters_of_code(function.__code__)
    parameters = inspect.signature(function).parameters.values()
    return tuple((p.name, p.kind is p.KEYWORD_ONLY) for p in parameters)


@functools.lru_cache(maxsize=1024)
def _parameters_of_code(code: CodeType) -> tuple[tuple[str, bool], ...]:
    """The same from a code object: every run defines new functions, but their code is shared."""
    named = code.co_argcount + code.co_kwonlyargcount
    count = named + bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    names = code.co_varnames[:count]
    return tuple((name, code.co_argcount <= n < named) for n, name in enumerate(names))
