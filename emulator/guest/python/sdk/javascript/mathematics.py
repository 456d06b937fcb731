"""`Math`. Source: https://tc39.es/ecma262/#sec-math-object."""

from __future__ import annotations

import math
import random as chance
from collections.abc import Callable
from typing import Any

from ..jsobject import JsObject
from .numbers import _number


def _whole(value: float) -> Any:
    """Return a number as Python has one of JavaScript's."""
    return int(value) if math.isfinite(value) and value == int(value) else value


def _of_one(function: Callable[[float], float]) -> Any:
    def called(value: Any = math.nan) -> Any:
        number = _number(value)
        try:
            return _whole(function(number))
        except OverflowError:
            return math.inf
        except ValueError:  # outside of where it is defined
            return math.nan

    called.__name__ = function.__name__
    return staticmethod(called)


def _kept(function: Callable[[float], float]) -> Callable[[float], float]:
    """Return a rounding function that leaves NaN and the infinities as they are."""
    return lambda number: function(number) if math.isfinite(number) else number


def _log(function: Callable[..., float]) -> Callable[[float], float]:
    return lambda number: -math.inf if number == 0 else function(number)


class _Math(JsObject):
    E, LN2, LN10, PI = math.e, math.log(2), math.log(10), math.pi
    LOG2E, LOG10E = math.log2(math.e), math.log10(math.e)
    SQRT2, SQRT1_2 = math.sqrt(2), math.sqrt(0.5)

    abs, sqrt, cbrt, exp = map(_of_one, (math.fabs, math.sqrt, math.cbrt, math.exp))
    sin, cos, tan, asin, acos, atan = map(
        _of_one, (math.sin, math.cos, math.tan, math.asin, math.acos, math.atan)
    )
    log, log2, log10 = _of_one(_log(math.log)), _of_one(_log(math.log2)), _of_one(_log(math.log10))
    floor, ceil = _of_one(_kept(math.floor)), _of_one(_kept(math.ceil))
    trunc = _of_one(_kept(math.trunc))
    round = _of_one(_kept(lambda number: math.floor(number + 0.5)))
    sign = _of_one(lambda number: number if number == 0 else math.copysign(1, number))

    @staticmethod
    def max(*values: Any) -> Any:
        """Return the largest; -Infinity of nothing."""
        numbers = [_number(value) for value in values]
        return math.nan if any(map(math.isnan, numbers)) else max([-math.inf, *numbers])

    @staticmethod
    def min(*values: Any) -> Any:
        """Return the smallest; Infinity of nothing."""
        numbers = [_number(value) for value in values]
        return math.nan if any(map(math.isnan, numbers)) else min([math.inf, *numbers])

    @staticmethod
    def pow(base: Any, exponent: Any) -> Any:
        """Return a power."""
        number = _number(base)
        try:
            return _whole(math.pow(number, _number(exponent)))
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan if number else math.inf

    @staticmethod
    def hypot(*values: Any) -> Any:
        """Return the root of the sum of squares."""
        return _whole(math.hypot(*map(_number, values)))

    @staticmethod
    def atan2(y: Any, x: Any) -> float:
        """Return the angle of a point."""
        return math.atan2(_number(y), _number(x))

    @staticmethod
    def random() -> float:
        """Return a number from 0 to below 1."""
        return chance.random()


_Math.__name__ = "Math"
Math = _Math()
