"""The text of `.dev.vars` and `.env` files -> names and values, exactly as wrangler reads them.

wrangler reads them with the npm packages dotenv 16 and dotenv-expand 12. python-dotenv reads
another dialect: it unescapes `\\"`, `\\t` and `\\'`, knows no backticks, cuts an unquoted value at
` #` only, and allows quoted names. A secret would differ between here and wrangler, so the rules
are written out below.

Never quotes what a file holds: faults name lines, and names of keys at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

REPLACEMENTS_MAX = 1_000
VALUE_MAX_CHARS = 1_000_000

_ASSIGNMENT = re.compile(
    r"[^\S\n]*(?:export[^\S\n]+)?(?P<key>[A-Za-z0-9_.-]+)(?:[^\S\n]*=|:(?=[^\S\n]))"
)
_REFERENCE = re.compile(r"(?<!\\)(?:\$\{([^{}]+)\}|\$([A-Za-z_][A-Za-z0-9_]*))")
_OPERATOR = re.compile(r":\+|\+|:-|-")
_BLANKS = " \t\n\r\v\f\u00a0\ufeff\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)  # what JavaScript's trim() removes


class DotenvLine(Struct, frozen=True):
    """A line that a reader may misunderstand; `text` contains no value."""

    line: int
    text: str


class EndlessExpansion(ValueError):
    """References that refer to each other; `key` is where the expansion stopped."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def parse_dotenv(text: str) -> tuple[dict[str, str], list[DotenvLine]]:
    """Return the file's values, the last of each name, and the lines that were not understood.

    `export KEY = value # comment`, `KEY: value`; single quotes and backticks literal; in double
    quotes `\\n` and `\\r` are line ends and nothing else is unescaped; quoted values may span
    lines; an unquoted value ends at the first `#`.
    Source: https://github.com/motdotla/dotenv/blob/v16.6.1/lib/main.js (parse).
    Differs: a key and its `=` or its value on different lines are not joined.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    values: dict[str, str] = {}
    oddities: list[DotenvLine] = []
    at, line = 0, 1
    while at < len(text):
        end = _line_end(text, at)
        next_at = end + 1
        match = _ASSIGNMENT.match(text, at, end)
        if match is not None:
            value, value_end, is_unclosed = _value(text, match.end(), end)
            values[match["key"]] = value
            next_at = _line_end(text, value_end) + 1
            if is_unclosed:
                oddities.append(
                    DotenvLine(
                        line,
                        f"the value of {match['key']} opens a quote and has text "
                        "after it or never closes it; the quote is part of the value",
                    )
                )
        elif text[at:end].strip(_BLANKS) and text[at:end].lstrip(_BLANKS)[0] != "#":
            oddities.append(DotenvLine(line, "this line is not KEY=value; it is ignored"))
        line += text.count("\n", at, next_at)
        at = next_at
    return values, oddities


def expand(values: Mapping[str, str], process_env: Mapping[str, str]) -> dict[str, str]:
    """Return `values` with `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}` replaced.

    A reference sees `process_env` first, then the names before it in `values`; else it is empty. A
    name that has another value in `process_env` takes that one. `\\$` is a plain dollar sign.
    Raises EndlessExpansion.
    Source: https://github.com/motdotla/dotenv-expand/blob/v12.0.3/lib/main.js (expand).
    Differs: `$$` in a value that is put in stays as it is; there it becomes a single `$`.
    """
    expanded: dict[str, str] = {}
    for key, value in values.items():
        outside = process_env.get(key)
        if outside and outside != value:
            result = outside
        else:
            result = _expand_value(key, value, {**expanded, **process_env}, expanded)
        expanded[key] = result.replace("\\$", "$")
    return expanded


def _value(text: str, start: int, line_end: int) -> tuple[str, int, bool]:
    """Return a value, where it ends, and whether it has an opening quote without its pair."""
    first = start
    while first < line_end and text[first] in _BLANKS:
        first += 1
    quote = text[first : first + 1] if first < line_end else ""
    if quote and quote in "'\"`":
        closing = _closing_quote(text, first)
        if closing is not None:
            return _unescaped(text[first + 1 : closing], quote), closing, False
    comment = text.find("#", start, line_end)
    raw = text[start : comment if comment >= 0 else line_end].strip(_BLANKS)
    if not raw or raw[0] not in "'\"`":
        return raw, line_end, False
    inner = raw[1:-1] if len(raw) > 1 and raw[-1] == raw[0] else raw
    return _unescaped(inner, raw[0]), line_end, True


def _closing_quote(text: str, opening: int) -> int | None:
    """Return where the quoted value ends: only a comment may follow on that line.

    A quote after a backslash closes the value only if no later one does.
    """
    quote = text[opening]
    candidates = []
    at = text.find(quote, opening + 1)
    while at >= 0:
        candidates.append(at)
        if text[at - 1] != "\\":
            break
        at = text.find(quote, at + 1)
    for candidate in reversed(candidates):
        rest = text[candidate + 1 : _line_end(text, candidate)].lstrip(_BLANKS)
        if not rest or rest[0] == "#":
            return candidate
    return None


def _unescaped(value: str, quote: str) -> str:
    return value.replace("\\n", "\n").replace("\\r", "\r") if quote == '"' else value


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _expand_value(
    key: str, value: str, names: Mapping[str, str], earlier: Mapping[str, str]
) -> str:
    seen: set[str] = set()
    for _ in range(REPLACEMENTS_MAX):
        match = _REFERENCE.search(value)
        if match is None:
            return value
        if len(value) > VALUE_MAX_CHARS:
            break
        seen.add(value)
        name, replacement = _resolve(match[1] or match[2], names, seen)
        value = value.replace(match[0], replacement, 1)
        # A value taken whole from an earlier name has been expanded already.
        if value == earlier.get(name):
            return value
    raise EndlessExpansion(key)


def _resolve(expression: str, names: Mapping[str, str], seen: set[str]) -> tuple[str, str]:
    """Return the name in `NAME`, `NAME:-default` or `NAME:+other`, and what replaces it."""
    operator = _OPERATOR.search(expression)
    name = expression[: operator.start()] if operator else expression
    other = expression[operator.end() :] if operator else ""
    found = names.get(name)
    if operator is not None and "+" in operator[0]:
        return name, other if found else ""
    return name, found if found and found not in seen else other
