"""Long texts in pieces, so that no single call on one blocks the interpreter for long. Pure.

A regular expression or `str.lower` runs to its end before any other thread can run. For 64 KB that
takes a few milliseconds at most; for the megabytes that a worker may send, seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

PIECE_CHARS = 64 * 1024
WORD_MAX_CHARS = 1024  # a longer text without a blank is cut anywhere


def pieces(text: str) -> Iterator[str]:
    """Yield `text` in pieces of at most PIECE_CHARS, cut before a blank where there is one."""
    start = 0
    while len(text) - start > PIECE_CHARS:
        end = start + PIECE_CHARS
        cut = max(text.rfind(blank, end - WORD_MAX_CHARS, end) for blank in (" ", "\n"))
        end = cut if cut > start else end
        yield text[start:end]
        start = end
    yield text[start:]
