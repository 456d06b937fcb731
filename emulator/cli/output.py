"""What commands print: data to standard output, messages to standard error.

Everything printed may hold what others wrote: names from a configuration, errors of user code,
answers of a server. So nothing but line breaks and tabs leaves here that could drive a terminal.
What is drawn with colours has been cleaned where it was drawn (`cells.printable`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import Any, TextIO

import click

from emulator.cli.cells import printable_lines
from emulator.protocol import deep_json

Json = Any

PIPE_COLUMNS = 120  # drawn for when nobody says how wide the terminal is
# What JSON lets through although it can drive a terminal or turn text around: DEL, C1 controls,
# line separators, directional marks, and lone surrogates, which no stream can write.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def show(text: str) -> None:
    """Print data."""
    click.echo(printable_lines(text))


def show_drawn(text: str) -> None:
    """Print what was drawn, colours and all."""
    click.echo(text)


def show_json(value: Json, indent: int | None = 2) -> None:
    """Print data for a program."""
    click.echo(json_text(value, indent))


def json_text(value: Json, indent: int | None = None) -> str:
    """Return a value as JSON that people can read and that cannot drive their terminal."""
    text = spaced_json(value, indent)
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def spaced_json(value: Json, indent: int | None = None) -> str:
    """Return a value as JSON, however deep, and as it is: it may hold anything."""
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False)
    except RecursionError:
        return deep_json.dumps(value, indent=indent, ascii_only=False)


def say(text: str) -> None:
    """Tell the person at the terminal something, out of the way of data."""
    click.echo(printable_lines(text), err=True)


def say_drawn(text: str) -> None:
    """Tell something that was drawn, colours and all."""
    click.echo(text, err=True)


def size_of(stream: TextIO) -> os.terminal_size:
    """Return columns and lines of the terminal behind a stream, which need not be another's.

    What is no terminal is 120 columns wide, or as wide as COLUMNS says.
    """
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # no terminal; or no file at all
        found = os.terminal_size((0, 0))
    if found.columns and found.lines:
        return found
    return shutil.get_terminal_size((PIPE_COLUMNS, 24))
