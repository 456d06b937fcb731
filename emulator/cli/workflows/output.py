"""Where things are printed: data to standard output, messages to standard error."""

from __future__ import annotations

import json
from typing import Any

import click

Json = Any


def show(text: str) -> None:
    """Print data."""
    click.echo(text)


def show_json(value: Json) -> None:
    """Print data for a program."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Tell the person at the terminal something, out of the way of data."""
    click.echo(text, err=True)
