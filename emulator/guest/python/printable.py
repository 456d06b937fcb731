"""Text that a terminal shows and does not obey."""

from __future__ import annotations

from unicodedata import category


def printable(text: str) -> str:
    """Return `text` with everything escaped but what can be seen, blanks, tabs and ends of lines.

    The text of an error may be anybody's, such as the body of a request.
    """
    return "".join(c if _is_shown(c) else ascii(c)[1:-1] for c in text)


def _is_shown(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or category(character) == "Zs"
