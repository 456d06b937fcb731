"""Patterns of paths: `*`, and `:name` in `_headers` and `_redirects`, of which values are used.

Source: docs/platform/assets.md, "_headers", "_redirects" and "Worker first".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_NAME = re.compile(r":([A-Za-z]\w*)")
_PORT_OF_SCHEME = "https:"


@lru_cache(maxsize=4096)
def glob(pattern: str) -> re.Pattern[str]:
    """Return the expression of a pattern in which `*` stands for any text."""
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


@lru_cache(maxsize=4096)
def rule(pattern: str) -> re.Pattern[str] | None:
    """Return the expression of a rule, with a group for `*`, "splat", and for each name.

    None for one that repeats a name: it fits nothing.
    """
    host, path = "", pattern
    if pattern.startswith("https://"):
        host, _, path = pattern.removeprefix("https://").partition("/")
        host, path = _PORT_OF_SCHEME + "//" + host, f"/{path}"
    try:
        expression = _expression(host.removeprefix(_PORT_OF_SCHEME), "[^/.]+")
        start = re.escape(_PORT_OF_SCHEME) if host else ""
        return re.compile(start + expression + _expression(path, "[^/]+"), re.DOTALL)
    except re.error:
        return None


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with each `:name` replaced."""
    for name, value in values.items():
        text = text.replace(f":{name}", value)
    return text


def values_of(pattern: str, host: str, path: str) -> dict[str, str] | None:
    """Return the values of a rule's names for a request; None when the rule does not fit."""
    expression = rule(pattern)
    if expression is None:
        return None
    found = expression.fullmatch(f"https://{host}{path}" if "://" in pattern else path)
    return None if found is None else {k: v for k, v in found.groupdict().items() if v is not None}


def _expression(text: str, value: str) -> str:
    parts = []
    end = 0
    for found in re.finditer(r"\*|:([A-Za-z]\w*)", text):
        parts.append(re.escape(text[end : found.start()]))
        parts.append("(?P<splat>.*)" if found[0] == "*" else f"(?P<{found[1]}>{value})")
        end = found.end()
    return "".join([*parts, re.escape(text[end:])])
