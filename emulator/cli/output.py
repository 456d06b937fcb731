"""The output of commands: data to standard output, messages to standard error.

Any text may come from others: names from a configuration, errors of user code, answers of a server.
So characters that can control a terminal are escaped here, except line breaks and tabs. For text
with colours, the drawing code has already done it (`cells.printable`).
"""

from __future__ import annotations

import os
import re
from typing import TextIO

import click

from emulator.cli.cells import printable_lines

PIPE_COLUMNS = 120  # when the width of the terminal is unknown
# Characters that JSON does not escape, although they can control a terminal or reverse text: DEL,
# C1 controls, line separators, directional marks; and lone surrogates, which cannot be written.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def show(text: str) -> None:
    """Print data."""
    click.echo(printable_lines(text))


def show_drawn(text: str) -> None:
    """Print drawn text with its colours."""
    click.echo(text)


def show_json(value: object, indent: int | None = 2) -> None:
    """Print data for a program."""
    click.echo(json_text(value, indent))


def json_text(value: object, indent: int | None = None) -> str:
    """Return a value as JSON that people can read and that cannot control their terminal."""
    text = spaced_json(value, indent)
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def spaced_json(value: object, indent: int | None = None) -> str:
    """Return a value as JSON of any depth, without further escapes."""
    import json  # a server that starts has nothing to show

    try:
        return json.dumps(value, indent=indent, ensure_ascii=False)
    except RecursionError:
        from emulator.protocol import deep_json

        return deep_json.dumps(value, indent=indent, ascii_only=False)


def say(text: str) -> None:
    """Print a message for the person at the terminal, to standard error."""
    click.echo(printable_lines(text), err=True)


def say_drawn(text: str) -> None:
    """Print a drawn message with its colours."""
    click.echo(text, err=True)


def size_of(stream: TextIO) -> os.terminal_size:
    """Return columns and lines of the terminal of a stream.

    Without a terminal, the width is COLUMNS, or else 120.
    """
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # not a terminal, or not a file
        found = os.terminal_size((0, 0))
    if found.columns and found.lines:
        return found
    import shutil

    return shutil.get_terminal_size((PIPE_COLUMNS, 24))
