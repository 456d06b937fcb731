"""What all clients share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .. import deployed
from ..calls import Answer, Caller
from ..nearest import nearest
from ..sdk.jsproxy import plain


class _BindingWrapper:
    """A binding on `env`. Calls are sent when they are made; awaiting only waits for the answer.

    Arguments are positional, as in JavaScript; keywords become one options object after them.

    Source: docs/platform/python-workers.md, "Bindings".
    """

    def __init__(self, caller: Caller, name: str, told: Any = None) -> None:
        self._caller = caller
        self._name = name

    @property
    def _binding(self) -> _BindingWrapper:
        return self

    def _call(self, method: str, *args: Any) -> Answer:
        """Call with these arguments."""
        return self._caller.call(self._name, method, list(args))

    def _options(self, method: str, given: tuple[Any, ...], keywords: dict[str, Any]) -> list[Any]:
        """Return the options of a call, none or one: a dict, or else its keywords.

        Warns of keywords beside a dict: JavaScript would not read that further argument.
        """
        if given and keywords:
            deployed.warn(
                f"env.{self._name}.{method}() gets options and keywords; JavaScript reads the "
                f"first only, and {', '.join(keywords)} is ignored. Put all of it into one of them."
            )
        return [plain(given[0])] if given else [keywords] if keywords else []

    def _check_names(self, method: str, options: Collection[Any], known: Collection[str]) -> None:
        """Warn of options that do not exist: the platform ignores them without a word."""
        for name in options:
            if name not in known:
                close = nearest(str(name), known)
                meant = f"; did you mean {close}?" if close else f"; it has {', '.join(known)}"
                deployed.warn(f"env.{self._name}.{method}() has no option {name}{meant}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"


_BindingWrapper.__module__ = "workers.rpc"
