"""Cuts SQL text into statements, the way SQLite itself ends them.

Owns the tokens of SQLite's language as far as cutting needs them: quotes, comments, words,
parameters, `;`. It never judges whether a statement is correct; SQLite does that.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

# Source: sqlite.org/lang_*.html and tokenize.c (sqlite3GetToken): an unclosed quote or block
# comment runs to the end of the text.
_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\n\f\r]+)
    | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    | (?P<quoted>'(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z)
                |`(?:[^`]|``)*(?:`|\Z) | \[[^\]]*(?:\]|\Z))
    | (?P<variable>\?\d*|\$[\w$]+(?:::[\w$]*)*(?:\([^\s)]*\))?|[:@\#][\w$]+)
    | (?P<number>\d[\w.]*)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<end>;)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_LEADING = re.compile(r"(?:[ \t\n\f\r;]+|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*", re.DOTALL)
_COMMENT_LINE = re.compile(r"^\s*--.*", re.MULTILINE)
_WORD = re.compile(r"[^\W\d]\w*")
_NAMED = re.compile(r"[:@#$]")
_SPACES = " \t\n\f\r"
_CACHED_SQL_MAX_CHARS = 10_000  # longer texts are rarely sent twice and would fill memory


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of SQL text: `kind` is a group name of `_TOKEN`, `start` counts characters."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; `keyword` is its first word in upper case, "" when there is no statement.

    `text` keeps comments and, for the first statement, leading space: error offsets count them.
    """

    text: str
    keyword: str


def tokens(sql: str) -> Iterator[Token]:
    """Yield every token of `sql`, spaces and comments included; nothing is lost."""
    for match in _TOKEN.finditer(sql):
        yield Token(match.lastgroup or "other", match[0], match.start())


def split_statements(sql: str) -> tuple[Statement, ...]:
    """Return the statements of `sql` in order; an empty one has no keyword and must be refused.

    `"select 1; select 2;"` gives two. A trigger body is part of its statement. Space after the
    last `;` is nothing; a comment or another `;` there is an empty statement, as in production,
    but before a statement it is nothing.
    Source: workerd src/workerd/util/sqlite.c++ (prepareMulti), tried with workerd 1.20260730.
    """
    if len(sql) > _CACHED_SQL_MAX_CHARS:
        return _split(sql)
    return _split_cached(sql)


def _split(sql: str) -> tuple[Statement, ...]:
    body = sql.rstrip(_SPACES)
    if ";" not in body[:-1]:
        return (Statement(sql, _keyword(sql)),)
    pieces: list[Statement] = []
    start = 0
    for token in tokens(body):
        if token.kind != "end":
            continue
        text = body[start : token.start + 1]
        keyword = _keyword(text)
        # What is empty belongs to the statement after it, if there is one. SQLite's own checker
        # knows where a trigger's body ends.
        if not keyword or not sqlite3.complete_statement(text):
            continue
        pieces.append(Statement(text if start == 0 else text.lstrip(_SPACES), keyword))
        start = token.start + 1
    rest = body[start:].lstrip(_SPACES) if start else body
    if rest:
        pieces.append(Statement(rest, _keyword(rest)))
    return tuple(pieces)


_split_cached = functools.lru_cache(maxsize=1024)(_split)


def _keyword(sql: str) -> str:
    leading = _LEADING.match(sql)
    word = _WORD.match(sql, leading.end() if leading else 0)
    if word:
        return word[0].upper()
    # "(select 1)" and "123" are statements, if wrong ones: SQLite says what is wrong with them.
    rest = sql[leading.end() if leading else 0 :].rstrip(_SPACES + ";")
    return rest[:1]


def is_empty(sql: str) -> bool:
    """Return whether `sql` is only space and lines of comment: such an entry of a call is left out.

    Source: miniflare database.worker.ts.
    """
    if sql and sql[0] not in " \t\n\f\r-":
        return False
    return not _COMMENT_LINE.sub("", sql).strip()


def has_variables(sql: str) -> bool:
    """Return whether `sql` has a parameter: `?`, `?1`, `:name`, `@name` or `$name`."""
    return any(token.kind == "variable" for token in tokens(sql))


def variable_names(sql: str) -> tuple[str, ...]:
    """Return the names of the parameters of `sql` in the order SQLite numbers them, without sigil.

    `"SELECT :a, @b, :a"` -> `("a", "b")`. Empty unless every parameter has a name of its own.
    Python binds a list only to `?` and `?NNN`, and D1 binds by position whatever the name.
    """
    return _variable_names(sql) if _NAMED.search(sql) else ()


@functools.lru_cache(maxsize=256)
def _variable_names(sql: str) -> tuple[str, ...]:
    variables = dict.fromkeys(token.text for token in tokens(sql) if token.kind == "variable")
    names = tuple(dict.fromkeys(variable[1:] for variable in variables))
    alone = len(names) == len(variables) and all(variable[0] != "?" for variable in variables)
    return names if alone else ()


def number_variables(sql: str) -> str:
    """Return `sql` with named parameters numbered as SQLite numbers them: `:a, ?` -> `?1, ?`."""
    return _number_variables(sql) if _NAMED.search(sql) else sql


@functools.lru_cache(maxsize=256)
def _number_variables(sql: str) -> str:
    numbers: dict[str, int] = {}
    highest = 0
    parts: list[str] = []
    for token in tokens(sql):
        text = token.text
        if token.kind == "variable":
            if text == "?":
                highest += 1
            elif text[0] == "?":
                highest = max(highest, int(text[1:]))
            else:
                if text not in numbers:
                    highest += 1
                    numbers[text] = highest
                text = f"?{numbers[text]}"
        parts.append(text)
    return "".join(parts)
