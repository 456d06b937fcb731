"""Where a position in the main module comes from: the way back from bundled code to the source.

Lines and columns count from 1, as V8 counts them in stacks; columns are UTF-16 code units. A map of
a large bundle is decoded only as far as it is asked about.
Source: https://tc39.es/ecma426/ (Mappings structure).
"""

from __future__ import annotations

import json
import os
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUE_OF = {digit: value for value, digit in enumerate(_DIGITS)}
_FIELDS_MAX = 5
# A frame of a stack ends with a place, in brackets or not: `    at go (main:3:14)`.
_PLACE = re.compile(
    r"(?P<open>\(|(?<=at )|(?<=async ))(?P<name>[^()\s]+):(?P<line>\d+):(?P<column>\d+)(?=\)?$)",
    re.M,
)


class MalformedMap(Exception):
    """Bytes that are no source map."""


class Position(Struct, frozen=True):
    """A place in a source file. `path` is absolute, or what the map says when it is no file."""

    path: str
    line: int
    column: int

    def shown(self, folder: Path) -> str:
        """Return `src/index.ts:31:5`: relative to `folder` for files below it."""
        path = Path(self.path)
        shown = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else self.path
        return f"{shown}:{self.line}:{self.column}"


_NOWHERE = -1


class SourceMap:
    """The map of one module."""

    def __init__(self, content: bytes) -> None:
        """Read a map of version 3. Raises MalformedMap."""
        try:
            found = json.loads(content)
            root = found.get("sourceRoot") or ""
            self._sources = [_path(root, source or "") for source in found["sources"]]
            self._rest: list[str] = found["mappings"].split(";")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise MalformedMap(str(error)) from error
        self._rest.reverse()
        self._known: dict[str, list[int]] = {}  # numbers of segments: most occur again and again
        self._last = (0, 0, 0)  # source, line and column of the last place: the next is relative
        # The places of all decoded lines, one after the other; all numbers count from 0.
        self._starts = array("i", [0])  # of each line: its first place
        self._columns = array("i")  # of each place: where it begins in its line
        self._origins = tuple(array("i") for _ in range(3))  # its source, line and column

    def original(self, line: int, column: int) -> Position | None:
        """Return where the code at this place comes from; None if it was made by the bundler.

        Raises MalformedMap.
        """
        try:
            while len(self._starts) <= line and self._rest:
                self._decode(self._rest.pop())
        except OverflowError as error:
            raise MalformedMap(str(error)) from error
        if not 0 < line < len(self._starts):
            return None
        start, end = self._starts[line - 1], self._starts[line]
        index = bisect_right(self._columns, column - 1, start, end) - 1
        if index < start:
            return None
        source, from_line, from_column = (numbers[index] for numbers in self._origins)
        if not 0 <= source < len(self._sources):
            return None
        return Position(self._sources[source], from_line + 1, from_column + 1)

    def _decode(self, text: str) -> None:
        """Take the places of the next line."""
        at = 0
        source, line, column = self._last
        known, columns = self._known, self._columns
        sources, lines, from_columns = self._origins
        for segment in text.split(",") if text else ():
            fields = known.get(segment)
            if fields is None:
                fields = known[segment] = _fields(segment)
            at += fields[0]
            columns.append(at)
            if len(fields) == 1:
                sources.append(_NOWHERE)
            else:
                source += fields[1]
                line += fields[2]
                column += fields[3]
                sources.append(source)
            lines.append(line)
            from_columns.append(column)
        self._last = source, line, column
        self._starts.append(len(columns))


def mapped_stack(stack: str, maps: Callable[[str], SourceMap | None], folder: Path) -> str:
    """Return a stack of V8 with places in the source, relative to `folder`.

    maps: the map of the module that a frame names; frames of others stay as they are.
    """

    folder = folder.resolve()  # sources are named by their real paths

    def replaced(found: re.Match[str]) -> str:
        source_map = maps(found["name"])
        if source_map is None:
            return found[0]
        position = source_map.original(int(found["line"]), int(found["column"]))
        return found["open"] + position.shown(folder) if position is not None else found[0]

    return _PLACE.sub(replaced, stack)


def _fields(segment: str) -> list[int]:
    """Return the numbers of one segment: 1, 4 or 5 of them, in base 64 with variable length."""
    fields: list[int] = []
    value = shift = 0
    for digit in segment:
        bits = _VALUE_OF.get(digit)
        if bits is None:
            raise MalformedMap(f"{digit!r} is no digit of base 64")
        value |= (bits & 31) << shift
        if bits & 32:
            shift += 5
            continue
        fields.append(-(value >> 1) if value & 1 else value >> 1)
        value = shift = 0
    if shift or len(fields) not in (1, 4, _FIELDS_MAX):
        raise MalformedMap(f"{segment!r} has {len(fields)} numbers")
    return fields


def _path(root: str, source: str) -> str:
    """Return a source as a path, if it is a file; with `sourceRoot` in front."""
    if not root.startswith("file://"):
        return root + source
    return os.path.normpath(os.path.join(unquote(urlsplit(root).path), unquote(source)))
