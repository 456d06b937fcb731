"""CSS selectors of `HTMLRewriter`: what an element matches, by itself and its ancestors.

Source: https://developers.cloudflare.com/workers/runtime-apis/html-rewriter/ (Selectors).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ..jserror import JsException


class Node(Protocol):
    """An element as selectors see it."""

    name: str
    place: int  # among the elements of its parent, from 1
    place_of_type: int  # the same, among those of its name

    @property
    def parent(self) -> Node | None:
        """The element in which it stands."""
        ...

    def attribute(self, name: str) -> str | None:
        """Return the value of an attribute."""
        ...


Test = Callable[[Node], bool]
_PART = re.compile(
    r"""(?P<name>\*|[\w-]+)|\#(?P<id>[\w-]+)|\.(?P<cls>[\w-]+)
    |\[\s*(?P<attr>[\w:-]+)\s*(?:(?P<op>[~|^$*]?=)\s*(?P<value>"[^"]*"|'[^']*'|[^\s\]]+)
      \s*(?P<flag>[is]?)\s*)?\]
    |:not\((?P<no>[^()]+)\)|:(?P<nth>nth-child|nth-of-type)\(\s*(?P<number>[^)]+?)\s*\)
    |:(?P<first>first-child|first-of-type)""",
    re.VERBOSE,
)
_COMBINATOR = re.compile(r"\s*>\s*|\s+")
_NTH = re.compile(r"(?:(?P<step>[+-]?\d*)n)?\s*(?P<first>[+-]?\s*\d+)?")


@dataclass
class _Step:
    """The tests of one element, and how it stands to the one before: `>` or somewhere inside."""

    tests: list[Test] = field(default_factory=list)
    is_child: bool = False

    def matches(self, node: Node) -> bool:
        return all(test(node) for test in self.tests)


def compile_selector(text: str) -> Test:
    """Return whether a node matches. Raises JsException for a selector that cannot be read."""
    ways = [_steps(part.strip()) for part in text.split(",")]
    return lambda node: any(_matches(steps, len(steps) - 1, node) for steps in ways)


def _steps(text: str) -> list[_Step]:
    steps, place = [_Step()], 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is not None:
            steps[-1].tests.append(_test(part))
            place = part.end()
            continue
        combinator = _COMBINATOR.match(text, place)
        if combinator is None or not steps[-1].tests:
            raise JsException(f"The selector {text!r} cannot be read.", "SyntaxError")
        steps.append(_Step(is_child=">" in combinator[0]))
        place = combinator.end()
    if not steps[-1].tests:
        raise JsException(f"The selector {text!r} cannot be read.", "SyntaxError")
    return steps


def _test(part: re.Match[str]) -> Test:
    found = {key: value for key, value in part.groupdict().items() if value is not None}
    match found:
        case {"name": "*"}:
            return lambda node: True
        case {"name": name}:
            return lambda node: node.name == name.lower()
        case {"id": id}:
            return lambda node: node.attribute("id") == id
        case {"cls": cls}:
            return lambda node: cls in (node.attribute("class") or "").split()
        case {"attr": name}:
            return _attribute(name.lower(), found)
        case {"no": inner}:
            refused = compile_selector(inner)
            return lambda node: not refused(node)
        case {"nth": kind, "number": number}:
            return _nth(kind == "nth-of-type", number)
        case _:
            return _nth(found["first"] == "first-of-type", "1")


def _attribute(name: str, found: dict[str, str]) -> Test:
    if "op" not in found:
        return lambda node: node.attribute(name) is not None
    wanted, op, ignores_case = found["value"].strip("\"'"), found["op"], found.get("flag") == "i"
    wanted = wanted.lower() if ignores_case else wanted

    def test(node: Node) -> bool:
        value = node.attribute(name)
        if value is None:
            return False
        value = value.lower() if ignores_case else value
        match op:
            case "=":
                return value == wanted
            case "~=":
                return wanted in value.split()
            case "|=":
                return value == wanted or value.startswith(f"{wanted}-")
            case "^=":
                return bool(wanted) and value.startswith(wanted)
            case "$=":
                return bool(wanted) and value.endswith(wanted)
        return bool(wanted) and wanted in value

    return test


def _nth(of_type: bool, text: str) -> Test:
    text = {"odd": "2n+1", "even": "2n"}.get(text, text)
    found = _NTH.fullmatch(text)
    if found is None:
        raise JsException(f"{text!r} is no place of an element.", "SyntaxError")
    sign = found["step"]
    step = 0 if sign is None else int(f"{sign}1" if sign in ("", "+", "-") else sign)
    first = int((found["first"] or "0").replace(" ", ""))

    def test(node: Node) -> bool:
        away = (node.place_of_type if of_type else node.place) - first
        return away == 0 if step == 0 else away % step == 0 and away // step >= 0

    return test


def _matches(steps: list[_Step], last: int, node: Node | None) -> bool:
    if node is None or not steps[last].matches(node):
        return False
    if last == 0:
        return True
    ancestor = node.parent
    if steps[last].is_child:
        return _matches(steps, last - 1, ancestor)
    while ancestor is not None:
        if _matches(steps, last - 1, ancestor):
            return True
        ancestor = ancestor.parent
    return False
