"""What all clients share."""

from __future__ import annotations

from typing import Any

from ..calls import Answer, Caller


class _BindingWrapper:
    """A binding on `env`. Calls are sent when they are made; awaiting only waits for the answer.

    Source: python-workers.md section 8.2.
    """

    def __init__(self, caller: Caller, name: str) -> None:
        self._caller = caller
        self._name = name

    @property
    def _binding(self) -> _BindingWrapper:
        return self

    def _call(self, method: str, *args: Any, **options: Any) -> Answer:
        """Call with positional arguments; keywords become one trailing object."""
        return self._caller.call(self._name, method, with_options(args, options))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"


def with_options(args: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
    """Return the JavaScript argument list for Python arguments."""
    return [*args, options] if options else list(args)


_BindingWrapper.__module__ = "workers.rpc"
