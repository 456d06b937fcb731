"""`JsDict`: what a JavaScript object becomes in Python."""

from __future__ import annotations

from typing import Any


class JsDict(dict[str, Any]):
    """A dict whose items can also be read and set as attributes, dict's own names excepted.

    Source: docs/platform/python-workers.md, "From JavaScript to Python".
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def to_py(self, **options: Any) -> JsDict:
        """Return itself. Differs: SDKs since 1.6 have no `to_py` here, older code calls it."""
        return self


JsDict.__module__ = "workers.rpc"
