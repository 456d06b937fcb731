"""`jsnull`: JavaScript's null where it is not converted, as in a JSON variable."""

from __future__ import annotations

from typing import Final


class JsNull:
    """The type of `jsnull`."""

    def __repr__(self) -> str:
        return "jsnull"

    def __bool__(self) -> bool:
        return False


jsnull: Final = JsNull()


class JsUndefined:
    """The type of what stands for undefined inside of a JavaScript object or array."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = JsUndefined()
JsNull.__module__ = "pyodide.ffi"
