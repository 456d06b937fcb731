"""Puts the values of a call into the form in which Python binds them to one statement."""

from __future__ import annotations

from bindings.d1.errors import WRONG_PARAMETERS
from bindings.d1.splitter import number_variables, variable_names
from bindings.d1.values import Parameter
from emulator.errors import WorkerError

Bound = tuple[Parameter, ...] | dict[str, Parameter]


def bound(sql: str, params: tuple[Parameter, ...]) -> tuple[str, Bound]:
    """Return SQL and values so that the n-th value is bound to the n-th parameter.

    `":a"` keeps its name, which is what its column is called. Raises WorkerError.
    """
    if not params:
        return sql, params
    names = variable_names(sql)
    if not names:
        return number_variables(sql), params
    if len(names) != len(params):
        raise WorkerError(WRONG_PARAMETERS)
    return sql, dict(zip(names, params, strict=True))
