"""Splits SQL text into statements as SQLite does; each character is read once.

Owns the tokens of SQLite's language as far as splitting needs them: quotes, comments, words,
parameters, `;`. It does not check whether a statement is correct; SQLite does that.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from msgspec import Struct

# A quote or block comment without an end goes to the end of the text.
# Source: https://github.com/sqlite/sqlite/blob/master/src/tokenize.c (sqlite3GetToken).
_COMMENT = r"--[^\n]*+|/\*.*?(?:\*/|\Z)"
_QUOTED = r""" '[^']*+(?:''[^']*+)*+'?+ | "[^"]*+(?:""[^"]*+)*+"?+
             | `[^`]*+(?:``[^`]*+)*+`?+ | \[[^\]]*+\]?+ """
_DOLLAR = r"\$[\w$]++(?:::[\w$]*+)*+(?:\([^\s)]*+\)?+)?+"
_TOKEN = re.compile(
    rf"""
      (?P<space>[ \t\n\f\r]++)
    | (?P<comment>{_COMMENT})
    | (?P<quoted>{_QUOTED})
    | (?P<variable>\?\d*+|{_DOLLAR}|[:@\#][\w$]++)
    | (?P<number>\d[\w.]*+)
    | (?P<word>[^\W\d][\w$]*+)
    | (?P<end>;)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
# Everything up to the next `;` outside quotes and comments.
_UP_TO_END = re.compile(
    rf"""(?: \w[\w$]*+ | [^\w;'"`\[/$-]++ | {_COMMENT} | {_QUOTED} | {_DOLLAR} | [/$-] )*+""",
    re.VERBOSE | re.DOTALL,
)
_LEADING = re.compile(rf"(?:[ \t\n\f\r;]++|{_COMMENT})*+", re.DOTALL)
_WORD = re.compile(r"[^\W\d]\w*+")
_SPACES = " \t\n\f\r"
_CACHED_SQL_MAX_CHARS = 10_000  # longer texts are rarely sent twice, and would fill memory

# The first word of a statement that returns rows and changes nothing; not for `WITH … INSERT`.
QUERY_KEYWORDS = frozenset({"SELECT", "WITH", "VALUES"})

# For each state, the next state after some words; the last one of a row is for any other token.
# The body of a trigger has statements of its own and ends at `; END ;`.
# Source: https://github.com/sqlite/sqlite/blob/master/src/complete.c (sqlite3_complete).
_START, _NORMAL, _EXPLAIN, _CREATE, _TRIGGER, _SEMICOLON, _END = range(7)
_NEXT: dict[int, tuple[dict[str, int], int]] = {
    _START: ({"EXPLAIN": _EXPLAIN, "CREATE": _CREATE}, _NORMAL),
    _EXPLAIN: (
        {"CREATE": _CREATE}
        | dict.fromkeys(("EXPLAIN", "TEMP", "TEMPORARY", "TRIGGER", "END"), _NORMAL),
        _EXPLAIN,
    ),
    _CREATE: ({"TEMP": _CREATE, "TEMPORARY": _CREATE, "TRIGGER": _TRIGGER}, _NORMAL),
    _TRIGGER: ({}, _TRIGGER),
    _SEMICOLON: ({"END": _END}, _TRIGGER),
    _END: ({}, _TRIGGER),
}


class Token(Struct, frozen=True):
    """One piece of SQL text: `kind` is a group name of `_TOKEN`, `start` counts characters."""

    kind: str
    text: str
    start: int


class Statement(Struct, frozen=True):
    """One statement; `keyword` is its first word in upper case, or "" if it is empty.

    `text` keeps comments and, for the first statement, leading space: error offsets count them.
    """

    text: str
    keyword: str


def tokens(sql: str) -> Iterator[Token]:
    """Yield every token of `sql`, spaces and comments included; nothing is lost."""
    for match in _TOKEN.finditer(sql):
        yield Token(match.lastgroup or "other", match[0], match.start())


def split_statements(sql: str) -> tuple[Statement, ...]:
    """Return the statements of `sql` in order. An empty one has no keyword and must be refused.

    `"select 1; select 2;"` gives two. The body of a trigger is part of its statement. Space after
    the last `;` is ignored. A comment or another `;` after it is an empty statement, as in
    production; before a statement it is ignored. A NUL ends the text, with an empty statement.
    Tried with workerd 1.20261117. Source: docs/platform/d1.md, "One call is one transaction".
    """
    if len(sql) > _CACHED_SQL_MAX_CHARS:
        return _split(sql)
    return _split_cached(sql)


def _split(sql: str) -> tuple[Statement, ...]:
    text, nul, _ = sql.partition("\0")
    body = text.rstrip(_SPACES)
    if ";" not in body[:-1]:
        pieces = [Statement(text, _keyword(text))]
    else:
        pieces = []
        start = 0
        for end in _ends(body):
            piece = body[start:end]
            pieces.append(Statement(piece.lstrip(_SPACES) if start else piece, _keyword(piece)))
            start = end
        rest = body[start:].lstrip(_SPACES) if start else body
        if rest:
            pieces.append(Statement(rest, _keyword(rest)))
    if nul and pieces[-1].keyword:
        pieces.append(Statement("", ""))
    return tuple(pieces)


_split_cached = functools.lru_cache(maxsize=1024)(_split)


def _ends(sql: str) -> Iterator[int]:
    """Yield the position behind the `;` of each statement.

    An empty statement belongs to the statement after it, if there is one.
    """
    state, position = _START, 0
    while position < len(sql):
        match = (_UP_TO_END if state == _NORMAL else _TOKEN).match(sql, position)
        assert match is not None
        kind, position = match.lastgroup, match.end()
        if state == _NORMAL:
            if position < len(sql):
                position += 1
                yield position
            state = _START
        elif kind == "end":
            if state in (_TRIGGER, _SEMICOLON):
                state = _SEMICOLON
            elif state != _START:
                yield position
                state = _START
        elif kind not in ("space", "comment"):
            words, otherwise = _NEXT[state]
            state = words.get(match[0].upper(), otherwise) if kind == "word" else otherwise


def _keyword(sql: str) -> str:
    leading = _LEADING.match(sql)
    start = leading.end() if leading else 0
    word = _WORD.match(sql, start)
    if word:
        return word[0].upper()
    # "(select 1)" and "123" count as statements: SQLite says what is wrong with them.
    return sql[start : start + 1]


def is_empty(sql: str) -> bool:
    """Return whether `sql` is only space and lines of comment: such an entry of a call is ignored.

    Source: docs/platform/d1.md, "One call is one transaction".
    """
    if sql and sql[0] not in " \t\n\f\r-":
        return False
    return all(line.lstrip()[:2] in ("", "--") for line in sql.split("\n"))
