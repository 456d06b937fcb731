"""The user's own tracebacks: what Python would print, without the frames that are ours."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from .hints import hint
from .printable import printable
from .sdk.jserror import JsException

_OUR_FOLDERS = (str(Path(__file__).parent), str(Path(__file__).parents[2] / "protocol"))


def format_error(error: BaseException) -> str:
    """Return `error` as Python prints it, cut at our frames, causes and contexts included.

    Below a frequent mistake stands a hint.
    """
    report = traceback.TracebackException.from_exception(error)
    _cut(report)
    told = hint(error)
    return printable("".join(report.format()) + (f"Hint: {told}\n" if told else ""))


def print_error(error: BaseException) -> None:
    """Print `error` on the guest's stderr as the user's own."""
    print(format_error(error), end="", file=sys.stderr, flush=True)


def error_name(error: BaseException) -> str:
    """Return the name that travels: JavaScript's for a JsException, else the class's own."""
    return error.name if isinstance(error, JsException) else type(error).__name__


def error_message(error: BaseException) -> str:
    """Return the message that travels."""
    if isinstance(error, JsException):
        return error.message
    try:
        return str(error)
    except Exception:  # a broken __str__ of the user must not hide that something was raised
        return f"<{type(error).__name__} whose str() fails>"


def told(error: BaseException) -> tuple[str, str, str]:
    """Return what travels of an error: name, message, traceback."""
    return error_name(error), error_message(error), format_error(error)


def is_ours(filename: str) -> bool:
    """Return whether a code file is part of the guest."""
    return filename.startswith(_OUR_FOLDERS)


def where_raised(error: BaseException) -> tuple[str, int]:
    """Return file and line of the innermost frame that is not ours; `("", 0)` if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_users(f)]
    return (frames[-1].filename, frames[-1].lineno or 0) if frames else ("", 0)


def _cut(report: traceback.TracebackException) -> None:
    seen: set[int] = set()
    waiting = [report]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        part.stack = traceback.StackSummary.from_list([f for f in part.stack if _is_users(f)])
        linked = (part.__cause__, part.__context__, *(part.exceptions or ()))
        waiting.extend(other for other in linked if other is not None)


def _is_users(frame: traceback.FrameSummary) -> bool:
    return not is_ours(frame.filename) and not frame.filename.startswith("<frozen importlib")
