"""Warns of random numbers while user code is loaded: deployed, there are none then.

Only a line of user code counts, as everywhere: packages are loaded with exceptions for them.
Source: docs/platform/hosting.md, "Global scope".
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any

from . import deployed, lacking

_OF_RANDOM = (
    *("random", "randint", "randrange", "choice", "choices", "sample", "shuffle", "uniform"),
    *("getrandbits", "randbytes", "gauss"),
)
_TEXT = "{} is called while the worker is loaded: deployed, it raises an error. Ask in a handler."


@contextmanager
def watched(project: str) -> Iterator[None]:
    """Warn while the block runs, of code in the folder `project`."""
    watching = [True]
    kept: list[tuple[ModuleType, str, Any]] = []

    def replace(module: ModuleType, name: str) -> None:
        kept.append((module, name, function := getattr(module, name)))
        setattr(module, name, _watched(function, f"{module.__name__}.{name}()", project, watching))

    for name in _OF_RANDOM:
        replace(random, name)
    replace(os, "urandom")  # of uuid
    replace(random, "_urandom")  # of secrets
    try:
        yield
    finally:
        watching.clear()
        for module, name, function in kept:
            setattr(module, name, function)


def _watched(
    function: Callable[..., Any], shown: str, project: str, watching: list[bool]
) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        if watching and lacking.is_of(project, sys._getframe(1)):
            deployed.warn(_TEXT.format(_called(sys._getframe(1)) or shown))
        return function(*args, **options)

    return call


def _called(frame: FrameType | None) -> str:
    """Return what user code called, if it was not the function itself: `"secrets.token_hex()"`."""
    called = ""
    while frame is not None and lacking.is_standard(frame.f_code.co_filename):
        called = f"{frame.f_globals['__name__']}.{frame.f_code.co_name}()"
        frame = frame.f_back
    return called
