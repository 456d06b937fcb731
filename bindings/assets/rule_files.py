"""`_headers` and `_redirects`: their lines as rules, and what is wrong with the others.

Source: docs/platform/assets.md, "_headers" and "_redirects".
"""

from __future__ import annotations

import re

from msgspec import Struct, field

LINE_MAX_CHARS = 2_000
HEADER_RULES_MAX = 100
STATIC_REDIRECTS_MAX = 2_000
DYNAMIC_REDIRECTS_MAX = 100
STATUSES = (200, 301, 302, 303, 307, 308)

_PATH = re.compile(r"[^\s]+://|/")
_ABSOLUTE = re.compile(r"https://+([^/]+)/?(.*)", re.DOTALL)
_DYNAMIC = re.compile(r"\*|:[A-Za-z]\w*")


class HeaderRule(Struct):
    """Headers that are set, and those that are removed, for paths that a pattern fits."""

    pattern: str
    set: dict[str, str] = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)


class Redirect(Struct, frozen=True):
    """Where a path leads, and with which status; 200 serves another path in its place."""

    source: str
    target: str
    status: int
    is_static: bool


class _Wrong(ValueError):
    """What is wrong with a line."""


def read_headers(text: str) -> tuple[list[HeaderRule], list[str]]:
    """Return the rules of a `_headers` file in their order, and what is wrong with its lines."""
    rules: list[HeaderRule] = []
    problems: list[str] = []
    rule: HeaderRule | None = None
    skips = False
    for number, line in _lines(text, problems):
        try:
            if _PATH.match(line):
                skips, rule = False, None
                if len(rules) >= HEADER_RULES_MAX:
                    problems.append(
                        f"line {number}: Maximum number of rules supported is {HEADER_RULES_MAX}. "
                        "Skipping the remaining lines."
                    )
                    break
                rule = HeaderRule(_pattern(line))
                rules.append(rule)
            elif not skips:
                _add_header(rule, line)
        except _Wrong as wrong:
            skips = skips or bool(_PATH.match(line))
            problems.append(f"line {number}: {wrong}")
    problems += [f"{rule.pattern}: No headers specified" for rule in rules if _is_empty(rule)]
    return [rule for rule in rules if not _is_empty(rule)], problems


def read_redirects(text: str, html_handling: str) -> tuple[list[Redirect], list[str]]:
    """Return the rules of a `_redirects` file, static ones first, and what is wrong with it."""
    rules: dict[str, Redirect] = {}
    problems: list[str] = []
    counts = {True: 0, False: 0}
    only_dynamic = False
    for number, line in _lines(text, problems):
        try:
            source, target, status = _tokens(line)
            is_static = not only_dynamic and not _DYNAMIC.search(source)
            only_dynamic = not is_static
            counts[is_static] += 1
            if is_static and counts[True] > STATIC_REDIRECTS_MAX:
                most = STATIC_REDIRECTS_MAX
                raise _Wrong(f"Maximum number of static rules supported is {most}. Skipping line.")
            if not is_static and counts[False] > DYNAMIC_REDIRECTS_MAX:
                most = DYNAMIC_REDIRECTS_MAX
                problems.append(
                    f"line {number}: Maximum number of dynamic rules supported is {most}. Skipping "
                    "the remaining lines."
                )
                break
            _check_loop(source, target, html_handling)
            if source in rules:
                raise _Wrong(f"Ignoring duplicate rule for path {source}.")
            if status == 200 and _ABSOLUTE.match(target):
                text = f"Proxy (200) redirects can only point to relative paths. Got {target}"
                raise _Wrong(text)
            rules[source] = Redirect(source, target, status, is_static)
        except _Wrong as wrong:
            problems.append(f"line {number}: {wrong}")
    return list(rules.values()), problems


def _lines(text: str, problems: list[str]) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if len(line) > LINE_MAX_CHARS:
            most = LINE_MAX_CHARS
            problems.append(
                f"Ignoring line {number} as it exceeds the maximum allowed length of {most}."
            )
        elif line and not line.startswith("#"):
            found.append((number, line))
    return found


def _is_empty(rule: HeaderRule) -> bool:
    return not rule.set and not rule.unset


def _pattern(line: str) -> str:
    absolute = _ABSOLUTE.match(line)
    if absolute and re.search(r":\d+$", absolute[1]):
        raise _Wrong(f"Specifying ports is not supported. Skipping absolute URL {line}.")
    if not absolute and not line.startswith("/"):
        raise _Wrong(
            "URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS "
            '(e.g. begin with "https://").'
        )
    path = f"https://{absolute[1]}/{absolute[2]}" if absolute else line
    if path.count("*") > 1:
        raise _Wrong(
            "Only one wildcard is allowed per rule. Use a named placeholder (e.g. :project) "
            f"instead. Skipping {path}."
        )
    if "*" in path and re.search(r":splat(?!\w)", path):
        raise _Wrong(
            "Cannot combine a wildcard * with a :splat placeholder because wildcards are converted "
            f"to :splat at runtime. Skipping {path}."
        )
    return path


def _add_header(rule: HeaderRule | None, line: str) -> None:
    name, colon, value = line.partition(":")
    name, value = name.strip().lower(), value.strip()
    if not colon:
        if rule is None:
            raise _Wrong("Expected a path beginning with at least one forward-slash")
        if not line.startswith("! "):
            raise _Wrong("Expected a colon-separated header pair (e.g. name: value)")
        rule.unset.append(line.removeprefix("! ").lower())
        return
    if " " in name:
        raise _Wrong("Header name cannot include spaces")
    if not name:
        raise _Wrong("No header name specified")
    if not value:
        raise _Wrong("No header value specified")
    if rule is None:
        raise _Wrong(f"Path should come before header ({name}: {value})")
    rule.set[name] = f"{rule.set[name]}, {value}" if name in rule.set else value


def _tokens(line: str) -> tuple[str, str, int]:
    tokens = re.sub(r"\s+#.*$", "", line).split()
    if len(tokens) not in (2, 3):
        raise _Wrong(f"Expected exactly 2 or 3 whitespace-separated tokens. Got {len(tokens)}.")
    source, target, status = [*tokens, "302"][:3]
    if _ABSOLUTE.match(source):
        raise _Wrong(f"Only relative URLs are allowed. Skipping absolute URL {source}.")
    source = (source if source.startswith("/") else f"/{source}").partition("#")[0]
    source = source.partition("?")[0]
    if not target.startswith("/") and not _ABSOLUTE.match(target):
        raise _Wrong(
            "URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS "
            '(e.g. begin with "https://").'
        )
    if not status.isdecimal() or int(status) not in STATUSES:
        raise _Wrong(
            f"Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got {status}."
        )
    return source, target, int(status)


def _check_loop(source: str, target: str, html_handling: str) -> None:
    if _ABSOLUTE.match(target) or not re.search(r"/index(.html)?$", target):
        return
    if source.endswith("/*") or (source.endswith("/") and html_handling != "none"):
        raise _Wrong(
            "Infinite loop detected in this rule and has been ignored. This will cause a redirect "
            "to strip `.html` or `/index` and end up triggering this rule again. Please fix or "
            "remove this rule to silence this warning."
        )
