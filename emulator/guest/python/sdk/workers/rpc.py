"""`workers.rpc`: conversion across the boundary, and the wrapper classes user code checks for."""

from __future__ import annotations

from typing import Any

from ... import conversion
from ...clients.binding import _BindingWrapper
from ...env import _EnvWrapper
from ..jsdict import JsDict
from ..jsproxy import JsProxy

__all__ = ["JsDict", "_BindingWrapper", "_EnvWrapper", "python_from_rpc", "python_to_rpc"]


def python_to_rpc(value: Any) -> Any:
    """Return a deep copy of `value` as the other side would see it. Raises as `encode` does."""
    return conversion.copy(value)


def python_from_rpc(value: Any) -> Any:
    """Return `value`: what arrives here has been converted already, JSON variables excepted."""
    return conversion.copy(value) if isinstance(value, JsProxy) else value
