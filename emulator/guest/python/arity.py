"""Warns of handlers that cannot take the three arguments that they get.

Source: docs/platform/python-workers.md, "Handlers".
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import CO_VARARGS
from types import FunctionType

from . import deployed

_STRICT = ("scheduled", "queue", "email", "tail", "trace")
_GIVEN = 3


def check(cls: type, shown: Callable[[str], str]) -> None:
    """Warn of each handler of a class of the SDK's. shown: makes a path one to be shown."""
    for name in _STRICT:
        handler = vars(cls).get(name)
        if not isinstance(handler, FunctionType):
            continue
        code = handler.__code__
        most = code.co_argcount - 1
        least = most - len(handler.__defaults__ or ())
        if least > _GIVEN or (most < _GIVEN and not code.co_flags & CO_VARARGS):
            deployed.warn(
                f"{cls.__name__}.{name} gets three arguments beside self, and fails when it is "
                f"called: write {name}(self, event, env, ctx).",
                f"{shown(code.co_filename)}:{code.co_firstlineno}",
            )
