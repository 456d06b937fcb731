"""JSON that a person typed on a command line."""

from __future__ import annotations

import json
import sys
from typing import NoReturn, cast

from emulator.cli.cells import printable
from emulator.errors import UsageError
from emulator.json_types import Json
from emulator.protocol.deep_json import Limits, Reader
from emulator.protocol.values import DEPTH_MAX

_SHOWN = 30  # characters on either side of a mistake
STDIN = "-"


def read_payload(text: str, what: str) -> Json:
    """Return the value of the JSON `text`; `-` reads it from standard input.

    what: its name in messages. Raises UsageError, which shows the place of the mistake.
    """
    if text == STDIN:
        text = sys.stdin.read()
    try:
        return _load(text)
    except json.JSONDecodeError as error:
        raise UsageError(_mistake(text, what, error)) from None
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from None


def _load(text: str) -> Json:
    try:
        return cast(Json, json.loads(text, parse_constant=_refuse))
    except RecursionError:
        return cast(Json, Reader(Limits(DEPTH_MAX), parse_constant=_refuse).whole(text))


def _mistake(text: str, what: str, error: json.JSONDecodeError) -> str:
    """Return a message with the line of the mistake and a caret under it."""
    line = text.splitlines()[error.lineno - 1] if text.strip() else ""
    start = max(error.colno - 1 - _SHOWN, 0)
    before = printable(line[start : error.colno - 1])
    after = printable(line[error.colno - 1 : error.colno - 1 + _SHOWN])
    place = f"line {error.lineno}, column {error.colno}"
    fix = 'Expected JSON, for example {"user": 7}; in a shell, put it in single quotes.'
    if not line:
        return f"{what} is not JSON: it is empty.\n  {fix}"
    return (
        f"{what} is not JSON at {place}: {error.msg}\n"
        f"    {before}{after}\n"
        f"    {' ' * len(before)}^\n"
        f"  {fix}"
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON; expected a number, or null.")
