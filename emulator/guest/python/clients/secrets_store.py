"""A secret of a store. Source: docs/platform/small-bindings.md, "Secrets Store"."""

from __future__ import annotations

from ..calls import Answer
from .binding import _BindingWrapper


class SecretsStoreSecret(_BindingWrapper):
    """A secret: its value is asked for."""

    def get(self) -> Answer:
        """Return the value."""
        return self._call("get")


CLIENT = SecretsStoreSecret
