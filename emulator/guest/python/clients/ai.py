"""The Workers AI client: `env.AI`. Source: bindings.md section 3.1."""

from __future__ import annotations

from typing import Any

from ..calls import Answer
from .binding import _BindingWrapper


class Ai(_BindingWrapper):
    """Runs models."""

    lastRequestId: str | None = None  # JavaScript's names
    aiGatewayLogId: str | None = None

    def run(self, model: str, inputs: Any = None, options: Any = None, **keywords: Any) -> Answer:
        """Run `model`; keywords are inputs when no inputs are given, else options."""
        args = [model]
        args += [] if inputs is None else [inputs]
        args += [] if options is None else [options]
        return self._call("run", *args, **keywords)

    def models(self, params: Any = None, **keywords: Any) -> Answer:
        """Search the model catalogue."""
        return self._call("models", *([] if params is None else [params]), **keywords)
