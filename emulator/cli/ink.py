"""Colours for the output of commands: only on a terminal, and only if the user allows them."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TextIO

from msgspec import Struct


class Colour(StrEnum):
    """Colours by their codes; the terminal's theme decides how they look."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    BLUE = "34"
    CYAN = "36"


class Ink(Struct, frozen=True):
    """Paints text, or leaves it as it is."""

    is_coloured: bool

    @classmethod
    def on(cls, stream: TextIO) -> Ink:
        """Return the ink for a stream. Source: https://no-color.org."""
        wanted = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        return cls(stream.isatty() and wanted)

    def __call__(self, colour: Colour, text: str) -> str:
        """Return `text` in a colour."""
        if not self.is_coloured or colour is Colour.PLAIN or not text:
            return text
        return f"\x1b[{colour.value}m{text}\x1b[0m"
