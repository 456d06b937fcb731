"""Finds the line of every key of a TOML document.

tomli gives positions for syntax errors only. This reads a document that tomli has accepted. So it
skips values without understanding them, and never reports an error: for a text that is not TOML,
the answer is incomplete.
"""

from __future__ import annotations

import re
from bisect import bisect_right

import tomli

from emulator.config.source import KeyPath

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_PLAIN_VALUE = re.compile(r"[^,\]}\n#]*")
_BASIC_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL_STRING = re.compile(r"'[^'\n]*'")
_LONG_BASIC_STRING = re.compile(r'"""(?:[^\\]|\\[\s\S])*?"{3,5}')
_LONG_LITERAL_STRING = re.compile(r"'''[\s\S]*?'{3,5}")


def find_lines(text: str) -> dict[KeyPath, int]:
    """Return the line of every table, key and array element, counted from 1.

    `'[a]\\nb = [1]'` -> `{("a",): 1, ("a", "b"): 2, ("a", "b", 0): 2}`.
    """
    finder = _Finder(text)
    finder.document()
    return finder.lines


class _Finder:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._array_sizes: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            before = self._at
            if self._text.startswith("[[", self._at):
                table = self._header("[[", "]]")
            elif self._text[self._at] == "[":
                table = self._header("[", "]")
            else:
                self._pair(table)
            self._skip(_BLANK)
            if self._at == before:
                return  # not TOML: there is nothing more to learn

    def _header(self, opening: str, closing: str) -> KeyPath:
        line = self._line()
        self._at += len(opening)
        parts = self._key()
        self._skip(_SPACE)
        if self._text.startswith(closing, self._at):
            self._at += len(closing)
        path: KeyPath = ()
        for number, part in enumerate(parts, 1):
            path = (*path, part)
            self.lines.setdefault(path, line)
            is_new_element = opening == "[[" and number == len(parts)
            if is_new_element:
                self._array_sizes[path] = self._array_sizes.get(path, 0) + 1
            # A header reaches through an array of tables into its newest element.
            if path in self._array_sizes:
                path = (*path, self._array_sizes[path] - 1)
                self.lines.setdefault(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._skip(_SPACE)
        if self._peek() == "=":
            self._at += 1
            self._skip(_SPACE)
            self._value(path)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            part = self._key_part()
            if part is None:
                return parts
            parts.append(part)
            self._skip(_SPACE)
            if self._peek() != ".":
                return parts
            self._at += 1

    def _key_part(self) -> str | None:
        start = self._at
        for pattern in (_BARE_KEY, _BASIC_STRING, _LITERAL_STRING):
            if self._skip(pattern):
                raw = self._text[start : self._at]
                return raw if pattern is _BARE_KEY else _unquoted(raw)
        return None

    def _value(self, path: KeyPath) -> None:
        if self._peek() == "[":
            self._array(path)
        elif self._peek() == "{":
            self._inline_table(path)
        else:
            for pattern in (
                _LONG_BASIC_STRING,
                _LONG_LITERAL_STRING,
                _BASIC_STRING,
                _LITERAL_STRING,
                _PLAIN_VALUE,
            ):
                if self._skip(pattern):
                    return

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self._peek() in ("]", ""):
                self._at += 1
                return
            before = self._at
            self.lines[(*path, index)] = self._line()
            self._value((*path, index))
            index += 1
            self._comma()
            if self._at == before:
                return

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while True:
            self._skip(_BLANK)
            if self._peek() in ("}", ""):
                self._at += 1
                return
            before = self._at
            self._pair(path)
            self._comma()
            if self._at == before:
                return

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._peek() == ",":
            self._at += 1

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        if match is None or match.end() == self._at:
            return False
        self._at = match.end()
        return True

    def _line(self) -> int:
        return bisect_right(self._newlines, self._at - 1) + 1


def _unquoted(raw: str) -> str:
    try:
        return str(tomli.loads(f"value = {raw}")["value"])
    except tomli.TOMLDecodeError:
        return raw
