"""`JsException`: an error from the platform."""

from __future__ import annotations

from types import SimpleNamespace


class JsException(Exception):
    """An error from the platform: `name`, `message`, `stack`; `str(e)` is `"Name: message"`.

    `cause` is what the platform says it came from, or None.
    """

    def __init__(
        self, message: str = "", name: str = "Error", cause: JsException | None = None
    ) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.cause = cause
        self.stack = f"{name}: {message}"

    def __repr__(self) -> str:
        return str(self)

    @property
    def constructor(self) -> SimpleNamespace:
        """Has a `name`, such as `"Error"`."""
        return SimpleNamespace(name=self.name)

    def toString(self) -> str:  # JavaScript's name
        """Return what `str()` gives."""
        return str(self)

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name


JsException.__module__ = "pyodide.ffi"
