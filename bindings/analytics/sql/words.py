"""The words of a query: names, numbers, strings, operators, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from bindings.analytics.sql.tree import InvalidQuery

QUERY_MAX_CHARS = 100_000
_WORD = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<string>'(?:[^'\\]|''|\\.)*')
    |(?P<quoted>"(?:[^"\\]|""|\\.)*"|`[^`]*`)
    |(?P<parameter>\$[A-Za-z0-9_]+)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<operator><=|>=|<>|!=|\|\||[-+*/%=<>(),.;])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}


class Word(Struct, frozen=True):
    """kind: `"number"`, `"string"`, `"quoted"`, `"parameter"`, `"name"`, `"operator"`, `"end"`."""

    kind: str
    text: str
    begin: int
    end: int


def words_of(query: str) -> list[Word]:
    """Return the words of a query, and one at its end. Raises InvalidQuery."""
    if len(query) > QUERY_MAX_CHARS:
        raise InvalidQuery(f"the query is longer than {QUERY_MAX_CHARS:,} characters")
    return [*_words(query), Word("end", "", len(query), len(query))]


def _words(query: str) -> Iterator[Word]:
    at = 0
    while at < len(query):
        found = _WORD.match(query, at)
        if found is None:
            raise InvalidQuery(f"{query[at : at + 20]!r} at character {at + 1} is not SQL")
        kind = str(found.lastgroup)
        if kind != "space":
            yield Word(kind, found[0], at, found.end())
        at = found.end()


def unquoted(text: str) -> str:
    """Return what a string or a quoted name says."""
    mark, inner = text[0], text[1:-1].replace(text[0] * 2, text[0])
    if mark == "`":
        return inner
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), inner, flags=re.DOTALL)
