"""TOML text -> plain JSON data and the line of every key, or a Fault that says what to correct."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time
from typing import Any

import tomli

from emulator.config.problems import Fault
from emulator.config.source import KeyPath, Parsed, key_name
from emulator.config.toml_lines import find_lines

# tomli's message -> how to correct it; the first that is found in the message counts.
_FIXES = {
    "Cannot overwrite a value": "The key is given twice in one table: remove one of the two.",
    "Cannot declare": "The table is opened twice: merge the two, or use [[name]] for a list.",
    "Expected '=' after a key": 'Write every setting as key = value, for example name = "my-app".',
    "Invalid value": 'Put text in quotes: key = "value". true and false are lower case.',
    "Unterminated string": "Close the string with the same quote that opens it.",
    "Illegal character": "Close the string on the line it starts on, with the quote that opens it.",
    "Unclosed array": "Close the array with ].",
    "Unescaped '\\' in a string": "Write \\\\ for a backslash, or use single quotes.",
    "Expected newline or end of document": "Put each setting on its own line, and text in quotes.",
}


def parse_toml(text: str) -> Parsed:
    """Return the document as JSON data: dates stay date objects, so that they can be refused.

    Raises Fault for anything that is not TOML, with line and column.
    """
    try:
        data = tomli.loads(text)
        lines = find_lines(text)
    except tomli.TOMLDecodeError as error:
        raise _syntax_fault(error) from None
    except RecursionError:
        raise Fault("arrays and tables are nested too deeply") from None
    except ValueError:
        # Python refuses to read an integer of more than 4,300 digits.
        found = "a number has too many digits; expected a 64-bit integer"
        raise Fault(found, line=_longest_number_line(text)) from None
    _refuse_what_json_cannot_say(data, (), lines)
    return Parsed(data, lines)


def _syntax_fault(error: tomli.TOMLDecodeError) -> Fault:
    message = error.msg or str(error)
    fix = next((fix for found, fix in _FIXES.items() if found in message), "")
    text = f"TOML syntax: {message[:1].lower()}{message[1:]}"
    return Fault(text, fix, line=error.lineno or 0, column=error.colno or 0)


def _longest_number_line(text: str) -> int:
    runs = re.finditer(r"\d[\d_]*", text)
    longest = max(runs, key=lambda match: match.end() - match.start(), default=None)
    return text.count("\n", 0, longest.start()) + 1 if longest else 0


def _refuse_what_json_cannot_say(value: Any, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    """Raise Fault for inf and nan, which a worker could never receive."""
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_what_json_cannot_say(item, (*path, key), lines)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_what_json_cannot_say(item, (*path, index), lines)
    elif isinstance(value, float) and not math.isfinite(value):
        raise Fault(
            f"{key_name(path)} is {value}; expected a finite number", line=lines.get(path, 0)
        )


def plain_json(value: Any) -> Any:
    """Return `value` with TOML's dates and times as their ISO text, as JSON.stringify gives it."""
    if isinstance(value, dict):
        return {key: plain_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value
