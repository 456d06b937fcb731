"""Text in the columns of a terminal: its width, and how it is shortened and wrapped. Pure.

Widths consider East Asian characters and combining marks. The characters of an emoji that a
terminal shows as one are counted one by one.
"""

from __future__ import annotations

import unicodedata

ELLIPSIS = "…"


def printable(text: str) -> str:
    """Return `text` on one line, with nothing in it that could drive the terminal.

    `"a\\nb\\x1b[2J"` -> `"a\\\\nb\\\\x1b[2J"`.
    """
    if text.isprintable():
        return text
    return "".join(c if _is_shown(c) else ascii(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """Return `text` with its line breaks and tabs, and nothing else that could drive the terminal.

    `"a\\n\\tb\\x1b[2J"` -> `"a\\n\\tb\\\\x1b[2J"`.
    """
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def columns(text: str) -> int:
    """Return how many columns `text` takes up: 2 for a wide character, 0 for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_columns(c) for c in text)


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` columns; an ellipsis shows that it was cut."""
    if columns(text) <= width:
        return text
    return _head(text, width - 1) + ELLIPSIS if width > 0 else ""


def pad(text: str, width: int) -> str:
    """Return `text` in exactly `width` columns, shortened or filled on the right."""
    text = shorten(text, width)
    return text + " " * (width - columns(text))


def wrap(text: str, width: int) -> list[str]:
    """Return `text` as lines of at most `width` columns, broken at spaces where there are any."""
    lines: list[str] = []
    while columns(text) > width:
        head = _head(text, width) or text[:1]
        broken = head.rfind(" ")
        if broken > len(head) // 2:
            head = head[:broken]
        lines.append(head.rstrip(" "))
        text = text[len(head) :].lstrip(" ")
    return [*lines, text] if text or not lines else lines


def _head(text: str, width: int) -> str:
    """Return as much of `text` as `width` columns hold."""
    used = 0
    for index, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return text[:index]
    return text


def _is_shown(character: str) -> bool:
    """Whether a character takes up space and does nothing else; other kinds of space do too."""
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
