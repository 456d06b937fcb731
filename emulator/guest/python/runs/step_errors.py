"""What a failed step raises in `run()`.

Source: docs/platform/python-workers.md, "Errors of steps".
"""

from __future__ import annotations

from ..sdk.pyodide.ffi import JsException
from ..sdk.workers.workflows import NonRetryableError

_NON_RETRYABLE = "NonRetryableError"
_PYTHON_CLASSES: dict[str, type[Exception]] = {
    "TypeError": TypeError,
    "ValueError": ValueError,
    "RangeError": ValueError,
}


def step_error(name: str, message: str) -> Exception:
    """Return the exception for an error that was recorded as name and message.

    TypeError and ValueError come back as themselves, with the last line of their traceback as text;
    NonRetryableError as itself; everything else as a JsException.
    """
    if name == _NON_RETRYABLE:
        return NonRetryableError(message)
    if message == _NON_RETRYABLE or message.startswith(f"{_NON_RETRYABLE}: "):
        return NonRetryableError(message.removeprefix(_NON_RETRYABLE).removeprefix(": "))
    cls = _PYTHON_CLASSES.get(name)
    if cls is not None:
        return cls(f"{name}: {message}")
    return JsException(message, name)
