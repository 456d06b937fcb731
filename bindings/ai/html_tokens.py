"""HTML as tags and texts, each character read once. Pure.

The parser of the standard library looks for the end of each unfinished comment or tag, each time
to the end of the document (Python before 3.13.6: 30 s for 400 KB of `<!--`). Here an unfinished
comment or tag ends the document, as the HTML standard says.
Source: https://html.spec.whatwg.org/multipage/parsing.html#tokenization
(eof-in-comment, eof-in-tag, bogus comment).
"""

from __future__ import annotations

import re
from html import unescape
from typing import Protocol

from bindings.ai.pieces import pieces

_NAME = re.compile(r"[A-Za-z][^\t\n\r\f />]*")
_BLANKS = re.compile(r"[\s/]*")
_ATTRIBUTE = re.compile(r"(?P<name>[^\s/>][^\s/=>]*)(?P<equals>\s*=\s*)?")
_BARE_VALUE = re.compile(r"[^\s>]*")
# Their text has no tags except their own end tag.
_RAW = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style")}

Attributes = dict[str, str]


class Reader(Protocol):
    """Gets the parts in the order of the document; names are lower case, references resolved."""

    def start(self, tag: str, attributes: Attributes) -> None: ...
    def end(self, tag: str) -> None: ...
    def data(self, text: str) -> None: ...


def read_html(text: str, reader: Reader) -> None:
    """Give `reader` the parts of `text`."""
    at = 0
    while at < len(text):
        opening = text.find("<", at)
        _tell_data(text[at : opening if opening >= 0 else len(text)], reader)
        if opening < 0:
            return
        at = _read_markup(text, opening, reader)


def _tell_data(text: str, reader: Reader) -> None:
    if text:
        for piece in pieces(unescape(text)):
            reader.data(piece)


def _read_markup(text: str, start: int, reader: Reader) -> int:
    """Read the markup whose `<` is at `start`; return where it ends."""
    name = _NAME.match(text, start + 1)
    if name is not None:
        return _read_start_tag(text, name[0].lower(), name.end(), reader)
    if text.startswith("<!--", start):
        return _behind(text, "-->", start + 2)
    if text.startswith("</", start):
        name = _NAME.match(text, start + 2)
        end = _behind(text, ">", start + 2)
        if name is not None and text.endswith(">", start, end):
            reader.end(name[0].lower())
        return end
    if text.startswith(("<!", "<?"), start):
        return _behind(text, ">", start + 2)
    reader.data("<")
    return start + 1


def _behind(text: str, mark: str, start: int) -> int:
    found = text.find(mark, start)
    return len(text) if found < 0 else found + len(mark)


def _read_start_tag(text: str, tag: str, at: int, reader: Reader) -> int:
    attributes: Attributes = {}
    while True:
        blanks = _BLANKS.match(text, at)
        at = blanks.end() if blanks else at
        if text.startswith(">", at):
            break
        found = _ATTRIBUTE.match(text, at)
        if found is None:
            return len(text)
        at = found.end()
        value = ""
        if found["equals"]:
            value, at = _read_value(text, at)
        attributes[found["name"].lower()] = unescape(value)
        if at >= len(text):
            return at
    reader.start(tag, attributes)
    if text.startswith("/", at - 1):
        reader.end(tag)
    elif tag in _RAW:
        end = _RAW[tag].search(text, at + 1)
        stop = len(text) if end is None else end.start()
        reader.data(text[at + 1 : stop])
        return stop
    return at + 1


def _read_value(text: str, at: int) -> tuple[str, int]:
    """Return the value that begins at `at`, and where it ends."""
    quote = text[at : at + 1]
    if quote and quote in "\"'":
        end = text.find(quote, at + 1)
        return (text[at + 1 : end], end + 1) if end >= 0 else ("", len(text))
    found = _BARE_VALUE.match(text, at)
    return (found[0], found.end()) if found else ("", at)
