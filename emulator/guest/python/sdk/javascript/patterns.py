"""`RegExp`, by Python's `re`. What the two read otherwise is rewritten, the rest refused.

Source: https://tc39.es/ecma262/multipage/text-processing.html (RegExp).
"""

from __future__ import annotations

import re
from typing import Any

from ..jserror import JsException
from ..jsnull import UNDEFINED, jsnull
from ..jsobject import JsObject
from ..jsproxy import DataProxy, JsArrayProxy
from ..jstext import js_text

_FLAGS = "dgimsuvy"
# In JavaScript's pattern -> in Python's. Everything else that is escaped stays as it is.
_TOKENS = re.compile(
    r"\\(?:k<(?P<named>\w+)>|.)|\(\?<(?P<group>\w+)>|\[(?P<empty>\^?)\]|\$", re.DOTALL
)


class RegExp(JsObject):
    """A pattern. With the flags g and y it goes on where the last match ended."""

    _is_called = True

    def __init__(self, source: Any = "(?:)", flags: Any = None) -> None:
        if isinstance(source, RegExp):
            flags = source.flags if flags is None else flags
            source = source._pattern_text
        self._pattern_text: str = js_text(source)
        self.flags: str = "".join(sorted("" if flags is None else js_text(flags)))
        if set(self.flags) - set(_FLAGS) or len(set(self.flags)) < len(self.flags):
            text = f"Invalid flags supplied to RegExp constructor '{js_text(flags)}'"
            raise JsException(text, "SyntaxError")
        self.lastIndex = 0
        self._pattern = _compiled(self._pattern_text, self.flags)

    @property
    def source(self) -> str:
        """The pattern, with its slashes escaped."""
        return re.sub(r"(\\.)|/", lambda found: found[1] or r"\/", self._pattern_text)

    @property
    def ignoreCase(self) -> bool:
        """Whether there is the flag i."""
        return "i" in self.flags

    @property
    def multiline(self) -> bool:
        """Whether there is the flag m."""
        return "m" in self.flags

    def test(self, text: Any = None) -> bool:
        """Return whether the pattern is in a text."""
        return self._found(js_text(text)) is not None

    def exec(self, text: Any = None) -> Any:
        """Return the match as an array with `input` and `groups`; null without one.

        `index` is the method of Python's sequences, as in Pyodide.
        """
        text = js_text(text)
        found = self._found(text)
        if found is None:
            return jsnull
        items = [_item(found[number]) for number in range(self._pattern.groups + 1)]
        return _Match(items, found, text)

    def _found(self, text: str) -> re.Match[str] | None:
        goes_on = "g" in self.flags or "y" in self.flags
        start = int(self.lastIndex) if goes_on else 0
        search = self._pattern.match if "y" in self.flags else self._pattern.search
        found = search(text, start) if start <= len(text) else None
        if goes_on:
            self.lastIndex = 0 if found is None else found.end()
        return found

    def toString(self) -> str:  # JavaScript's name
        """Return it as it is written in JavaScript."""
        return f"/{self.source}/{self.flags}"

    def __str__(self) -> str:
        return self.toString()


class _Match(JsArrayProxy):
    """What `exec` returns."""

    __slots__ = ("input", "groups")

    def __init__(self, items: list[Any], found: re.Match[str], text: str) -> None:
        super().__init__(items, "this match")
        object.__setattr__(self, "input", text)
        names = {name: _item(value) for name, value in found.groupdict().items()}
        object.__setattr__(self, "groups", DataProxy(names, "these groups") if names else None)


def _item(value: str | None) -> Any:
    return UNDEFINED if value is None else value


def _compiled(source: str, flags: str) -> re.Pattern[str]:
    chosen = re.ASCII
    for flag, own in (("i", re.IGNORECASE), ("m", re.MULTILINE), ("s", re.DOTALL)):
        chosen |= own if flag in flags else 0
    try:
        return re.compile(_TOKENS.sub(lambda found: _rewritten(found, flags), source), chosen)
    except re.error as error:
        text = f"Invalid regular expression: /{source}/{flags}: {error.msg}"
        raise JsException(text, "SyntaxError") from None


def _rewritten(found: re.Match[str], flags: str) -> str:
    token = found[0]
    if found["named"]:
        return f"(?P={found['named']})"
    if found["group"]:
        return f"(?P<{found['group']}>"
    if found["empty"] is not None:
        return r"[\s\S]" if found["empty"] else "(?!)"
    if token == "$" and "m" not in flags:
        return r"\Z"  # Python's `$` fits before a last line break too
    if token in (r"\s", r"\S"):
        spaces = r" \t-\r\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
        return f"[{'^' if token == chr(92) + 'S' else ''}{spaces}]"
    return r"\/"[1:] if token == r"\/" else token
