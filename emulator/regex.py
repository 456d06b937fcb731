"""Regular expressions that come with data: the time of a search grows only with the text.

Python's own engine may need for ever for some patterns and a text of forty letters, and blocks the
interpreter all that time. RE2 reads each character once, and does not block it. It is imported at
the first pattern.

RE2 has no back-references and no look-around. Look-around directly after a leading `^` is searched
separately, with the same result: `^(?!\\s*$)`, `^(?=.*[A-Z])(?=.*\\d).{8,}`.
`\\w`, `\\d`, `\\s` and `\\b` know only ASCII.
Source: https://github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

PATTERN_MAX_CHARS = 4_000
PROGRAM_MAX_BYTES = 512 * 1024  # of a compiled pattern with its cache

_OTHER_SYNTAX = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})(?:\\u([dD][c-fC-F][0-9A-Fa-f]{2}))?"
    r"|c([A-Za-z])|(Z)|.)|(\[\^\])",
    re.DOTALL,
)
_FLAGS = re.compile(r"\(\?([ims]+)\)")
_START = re.compile(r"\^|\\A")


class BadPattern(ValueError):
    """Not a regular expression, or not a supported one; the message says why."""


class Regex:
    """A pattern; made by `compile_regex`."""

    def __init__(self, parts: list[tuple[Any, bool]]) -> None:
        self._parts = parts  # with True for a part that must be found, False for one that must not

    def is_in(self, text: str) -> bool:
        """Return whether the pattern is found anywhere in `text`."""
        content = text.encode(errors="replace")
        return all((part.search(content) is not None) is wanted for part, wanted in self._parts)


@lru_cache(maxsize=64)
def compile_regex(pattern: str) -> Regex:
    """Return a pattern in JavaScript's or Python's syntax. Raises BadPattern."""
    if len(pattern) > PATTERN_MAX_CHARS:
        raise BadPattern(f"it is longer than {PATTERN_MAX_CHARS:,} characters")
    return Regex([(_compile(part), wanted) for part, wanted in _parted(pattern)])


def _compile(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.max_mem = PROGRAM_MAX_BYTES
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(_in_syntax_of_re2(pattern).encode(), options)
    except re2.error as error:
        told = error.args[0] if error.args else b""
        raise BadPattern(_explained(told)) from None
    except UnicodeEncodeError:
        raise BadPattern("it contains half of a surrogate pair") from None


def _explained(told: bytes | str) -> str:
    text = told.decode(errors="replace") if isinstance(told, bytes) else told
    if text.startswith("invalid perl operator: (?"):
        return f"{text}; look-around is supported right behind a leading ^ alone"
    if re.match(r"invalid escape sequence: \\[1-9k]", text):
        return f"{text}; back-references are not supported"
    return text


def _in_syntax_of_re2(pattern: str) -> str:
    def spelled(found: re.Match[str]) -> str:
        braced, code, second, control, end, anything = found.groups()
        if anything:
            return r"[\x00-\x{10FFFF}]"
        if control:
            return f"\\x{{{ord(control) % 32:x}}}"
        if end:
            return r"\z"
        if not (braced or code):
            return found[0]
        number = int(braced or code, 16)
        if second and 0xD800 <= number < 0xDC00:
            number = 0x10000 + (number - 0xD800 << 10) + int(second, 16) - 0xDC00
            second = None
        rest = f"\\x{{{int(second, 16):x}}}" if second else ""
        return f"\\x{{{number:x}}}{rest}"

    return _OTHER_SYNTAX.sub(spelled, pattern)


def _parted(pattern: str) -> list[tuple[str, bool]]:
    """Return the pattern without the look-around after its `^`, and each look-around itself."""
    flags = _FLAGS.match(pattern)
    at = flags.end() if flags else 0
    start = _START.match(pattern, at)
    if start is None or (flags and "m" in flags[1]):
        return [(pattern, True)]
    head, at = pattern[: start.end()], start.end()
    parts: list[tuple[str, bool]] = []
    while pattern.startswith(("(?=", "(?!"), at):
        end = next((place for place, depth, _ in _outline(pattern, at) if not depth), None)
        if end is None:
            break
        parts.append((f"{head}(?:{pattern[at + 3 : end]})", pattern[at + 2] == "="))
        at = end + 1
    rest = pattern[at:]
    if any(not depth and character == "|" for _, depth, character in _outline(rest, 0)):
        return [(pattern, True)]  # the ^ belongs only to the first alternative
    return [*parts, (head + rest, True)]


def _outline(pattern: str, start: int) -> Iterator[tuple[int, int, str]]:
    """Yield position, depth after it, and character of each bracket and bar outside quotes."""
    depth, in_class, at = 0, False, start
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character in "()|":
            depth += {"(": 1, ")": -1, "|": 0}[character]
            yield at, depth, character
        at += 1
