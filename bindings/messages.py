"""Values in messages: shown as they are, but cut when they are long."""

from __future__ import annotations

import reprlib

SHOWN_CHARS = 200
_REPR = reprlib.Repr()
_REPR.maxdict = _REPR.maxlist = _REPR.maxtuple = _REPR.maxset = 50
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = SHOWN_CHARS


def shortened(value: object, most: int = SHOWN_CHARS) -> str:
    """Return `value` as text for a message, cut when it is long; a string without quotes."""
    text = value if isinstance(value, str) else shown(value, most)
    return text if len(text) <= most else f"{text[:most]}…"


def shown(value: object, most: int = SHOWN_CHARS) -> str:
    """Return `repr(value)`, cut when it is long."""
    try:
        text = repr(value[:most]) if isinstance(value, str) else _REPR.repr(value)
    except ValueError:  # more digits than Python writes
        return "a number of more than 4,300 digits"
    is_cut = len(text) > most or (isinstance(value, str) and len(value) > most)
    return f"{text[:most]}…" if is_cut else text
