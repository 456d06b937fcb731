"""JSON with comments and trailing commas -> plain data and the line of every key, or a Fault.

`.json` and `.jsonc` are read in the same way.
Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/workers-utils/src/parse.ts
(parseJSONC).
Differs: half of a surrogate pair, and numbers beyond a double, are refused as typing mistakes.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from typing import NoReturn

from emulator.config.problems import Fault, quoted
from emulator.config.source import KeyPath, Parsed
from emulator.json_types import Json

NESTING_MAX = 200

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z0-9_$.+-]+")
_WORDS = {"true": True, "false": False, "null": None}


def parse_jsonc(text: str) -> Parsed:
    """Return the document, which must be an object. A repeated key's last value counts.

    Raises Fault with line and column for anything else.
    """
    reader = _Reader(text)
    data = reader.document()
    if not isinstance(data, dict):
        raise Fault(f"the file holds {quoted(data)}; expected an object: {{ … }}", line=1)
    return Parsed(data, reader.lines, tuple(reader.repeated))


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.repeated: list[tuple[KeyPath, int]] = []
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]

    def document(self) -> Json:
        self._skip_blank()
        value = self._value((), 0)
        self._skip_blank()
        if self._at < len(self._text):
            self._fail(f"found {self._found()} after the end; expected nothing more")
        return value

    def _value(self, path: KeyPath, depth: int) -> Json:
        if depth > NESTING_MAX:
            self._fail(f"nested more than {NESTING_MAX} levels deep")
        start = self._peek()
        if start == "{":
            return self._object(path, depth)
        if start == "[":
            return self._array(path, depth)
        if start == '"':
            return self._string()
        return self._number_or_word()

    def _object(self, path: KeyPath, depth: int) -> dict[str, Json]:
        result: dict[str, Json] = {}
        self._at += 1
        while True:
            self._skip_blank()
            if self._peek() == "}":
                self._at += 1
                return result
            if self._peek() != '"':
                self._expected('a "key" in double quotes or "}"')
            line = self._line()
            key = self._string()
            key_path = (*path, key)
            if key in result:
                self.repeated.append((key_path, line))
            self.lines[key_path] = line
            self._skip_blank()
            if self._peek() != ":":
                self._expected(f'":" after the key {quoted(key)}')
            self._at += 1
            self._skip_blank()
            result[key] = self._value(key_path, depth + 1)
            self._comma_or("}")

    def _array(self, path: KeyPath, depth: int) -> list[Json]:
        result: list[Json] = []
        self._at += 1
        while True:
            self._skip_blank()
            if self._peek() == "]":
                self._at += 1
                return result
            item_path = (*path, len(result))
            self.lines[item_path] = self._line()
            result.append(self._value(item_path, depth + 1))
            self._comma_or("]")

    def _comma_or(self, closing: str) -> None:
        self._skip_blank()
        if self._peek() == ",":
            self._at += 1
        elif self._peek() != closing:
            self._expected(f'"," or "{closing}"')

    def _string(self) -> str:
        match = _STRING.match(self._text, self._at)
        if match is None:
            self._fail(
                "a string is not closed on its line",
                'Close it with ", and write \\n for a line break.',
            )
        try:
            value: str = json.loads(match[0])
        except json.JSONDecodeError as error:
            self._at += error.pos
            self._fail(
                "a string holds an unknown escape",
                'Known are \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX; write \\\\ for a backslash.',
            )
        if any("\ud800" <= char <= "\udfff" for char in value):
            self._fail(
                "a string holds half of a surrogate pair", "Write both halves: \\uD83D\\uDE00."
            )
        self._at = match.end()
        return value

    def _number_or_word(self) -> Json:
        match = _WORD.match(self._text, self._at)
        word = match[0] if match else ""
        if word in _WORDS:
            self._at += len(word)
            return _WORDS[word]
        if _NUMBER.fullmatch(word):
            return self._number(word)
        if self._peek() in ("'", "`"):
            self._fail(
                f"found {self._found()}; expected a value", 'Put text in double quotes: "…".'
            )
        fix = 'Put text in double quotes: "…".' if word[:1].isalpha() else ""
        self._fail(f"found {self._found()}; expected a value", fix)

    def _number(self, word: str) -> int | float:
        try:
            number = float(word) if any(c in ".eE" for c in word) else int(word)
            fits = not math.isinf(float(number))
        except (OverflowError, ValueError):  # a larger int; more digits than Python reads
            fits = False
        if not fits:
            self._fail("a number is too large; expected one that a double can hold")
        self._at += len(word)
        return number

    def _skip_blank(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        if self._text.startswith("/*", self._at):
            self._fail("a comment is not closed", "Close it with */.")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _found(self) -> str:
        if self._at >= len(self._text):
            return "the end of the file"
        word = _WORD.match(self._text, self._at)
        return quoted(word[0] if word else self._text[self._at])

    def _expected(self, what: str) -> NoReturn:
        self._fail(f"found {self._found()}; expected {what}")

    def _fail(self, text: str, fix: str = "") -> NoReturn:
        line = self._line()
        before = self._newlines[line - 2] if line > 1 else -1
        raise Fault(f"JSON syntax: {text}", fix, line=line, column=self._at - before)

    def _line(self) -> int:
        return bisect_right(self._newlines, self._at - 1) + 1
