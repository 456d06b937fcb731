"""Where things are printed: data to standard output, messages to standard error."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any, TextIO

import click

Json = Any

PIPE_COLUMNS = 120  # drawn for when nobody says how wide the terminal is


def show(text: str) -> None:
    """Print data."""
    click.echo(text)


def show_json(value: Json) -> None:
    """Print data for a program."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Tell the person at the terminal something, out of the way of data."""
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
