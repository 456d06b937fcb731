"""Plain records: dataclasses that cost little until one of them is made.

A start of a host or of a guest makes some seventy classes and uses ten of them. Python compiles
four methods for a dataclass, and three more for a frozen one. Here they are written once, and
`__init__` is compiled when the first object of a class is made.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, make_dataclass
from typing import Any

_C = typing.TypeVar("_C")


@typing.dataclass_transform(frozen_default=True)
def record(cls: type[_C]) -> type[_C]:
    """Make a subclass of `Record` a dataclass: frozen to the type checker, plain at run time.

    Freezing at run time makes an object five times as slow to create, and each step has four.
    """
    made = dataclass(slots=True, init=False, eq=False, repr=False)(cls)
    made.__init__ = _begin  # type: ignore[method-assign]  # not that of its base
    return made


class Record:
    """What all records share: equality by value, and how they are shown."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash((type(self), *_values(self)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({shown})"


def _values(of: Record) -> list[Any]:
    return [getattr(of, f.name) for f in fields(of)]  # type: ignore[arg-type]


def _begin(self: Any, *values: Any, **named: Any) -> None:
    """Initialize the first object of a class, as all others from now on."""
    cls = type(self)
    cls.__init__ = _initializer(cls)
    cls.__init__(self, *values, **named)


def _initializer(cls: type[Any]) -> Callable[..., None]:
    same = [(f.name, f.type, _declared(f)) for f in fields(cls)]
    made: Any = make_dataclass(cls.__name__, same, eq=False, repr=False)
    initializer: Callable[..., None] = made.__init__
    initializer.__qualname__ = f"{cls.__qualname__}.__init__"
    return initializer


def _declared(of: Field[Any]) -> Any:
    return field(default=of.default, default_factory=of.default_factory)
