"""The rate limit client. Source: docs/platform/small-bindings.md, "Rate limits"."""

from __future__ import annotations

from typing import Any

from ..calls import Answer
from .binding import _BindingWrapper


class Ratelimit(_BindingWrapper):
    """A rate limit."""

    def limit(self, /, *options: Any, **keywords: Any) -> Answer:
        """Count a call of `key`; returns `{success}`. `delta`: how much it counts."""
        return self._call("limit", *self._options("limit", options, keywords))


CLIENT = Ratelimit
