"""Long texts in pieces, so that no single call on one holds the interpreter for long. Pure.

A regular expression, `str.lower` and their like run to their end before any other thread gets its
turn. On 64 KB that is a few milliseconds at most; on the megabytes that a worker may send, seconds.
"""

from __future__ import annotations

from collections.abc import Iterator

PIECE_CHARS = 64 * 1024
WORD_MAX_CHARS = 1024  # what is longer without a blank is cut anywhere


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
