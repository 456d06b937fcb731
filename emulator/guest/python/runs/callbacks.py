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


Parameters = tuple[tuple[str, bool], ...]  # of each its name, and whether it is keyword-only


class StepCallback:
    """Calls a step's function with its dependencies' results and, where it asks, `ctx`."""

    __slots__ = ("function", "delay", "_values", "_parameters", "wants_ctx")

    def __init__(
        self, function: Function, takes: Parameters, values: dict[str, Any], delay: Any = None
    ) -> None:
        self.delay = delay
        self.function = function
        self._values = values
        self._parameters = takes
        self.wants_ctx = bool(takes) and any(name == _CTX for name, _ in takes)

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


def dependency_names(takes: Parameters) -> list[str]:
    """Return the parameters that take results of other steps."""
    return [name for name, _ in takes if name != _CTX] if takes else []


def code_of(function: Function) -> CodeType | None:
    """Return the code of a function that user code wrote; None for other callables.

    Ask once for each function: the hook that hears of what a deployed worker lacks hears of this.
    """
    code: CodeType | None = getattr(function, "__code__", None)
    return code


def parameters(function: Function, code: CodeType | None) -> Parameters:
    """Return the parameters of a step's function, `*args` and `**kwargs` included.

    code: its own, from `code_of`.
    """
    if code is not None and type(function) is FunctionType and not hasattr(function, "__wrapped__"):
        return _parameters_of_code(code)
    parameters = inspect.signature(function).parameters.values()
    return tuple((p.name, p.kind is p.KEYWORD_ONLY) for p in parameters)


@functools.lru_cache(maxsize=1024)
def _parameters_of_code(code: CodeType) -> Parameters:
    """The same from a code object: every run defines new functions, but their code is shared."""
    named = code.co_argcount + code.co_kwonlyargcount
    count = named + bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    names = code.co_varnames[:count]
    return tuple((name, code.co_argcount <= n < named) for n, name in enumerate(names))
