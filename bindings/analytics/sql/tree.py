"""What a query is made of."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class InvalidQuery(ValueError):
    """A query that cannot be run; the message says why."""


class Literal(Struct, frozen=True):
    """A string, number, boolean or None."""

    value: Any


class Name(Struct, frozen=True):
    """A column, or the alias of an expression."""

    name: str


class Interval(Struct, frozen=True):
    """So many units of time; unit: `"DAY"`."""

    count: Any
    unit: str


class Call(Struct, frozen=True):
    """A function with its arguments, `name(parameters)(arguments)`. The name is in lower case."""

    name: str
    arguments: list[Any]
    parameters: list[Any] = []
    distinct: bool = False


class Operation(Struct, frozen=True):
    """An operator with its operands: `"+"`, `"not"`, `"in"`, `"between"`, `"like"`, …"""

    operator: str
    operands: list[Any]


class Star(Struct, frozen=True):
    """All columns."""


Expression = Literal | Name | Interval | Call | Operation | Star


class Column(Struct, frozen=True):
    """What is selected, and what it is called."""

    expression: Any
    name: str


class Order(Struct, frozen=True):
    """One key of the order of rows."""

    expression: Any
    descending: bool


class Select(Struct):
    """A query. source: the name of a dataset, another query, or None."""

    columns: list[Column]
    source: Any = None
    where: Any = None
    groups: list[Any] = []
    having: Any = None
    orders: list[Order] = []
    limit: int | None = None
    offset: int = 0
    format: str = ""


class Show(Struct, frozen=True):
    """`SHOW TABLES`, `SHOW TIMEZONES` or `SHOW TIMEZONE`."""

    what: str
    format: str = ""
