"""JSON whose nesting and size are bounded by limits, and not by the stack.

The `json` module goes as deep as Python's recursion limit: fewer than 1,000 levels on 3.11 and
3.12, and less the deeper its caller is. And it lets no other thread run until it is through. These
take over where it gives up and for texts that are large. Both are linear.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

from .record import Record, record

_LARGE_PARTS = 5_000
_PART_CHARS = 200  # of a text: as long to encode as a number
TREE_DEPTH_MAX = 4_096  # a container of a value is at most three of JSON: {"$map": [[key, value]]}

_skip_space = re.compile(r"[ \t\n\r]*").match
_match_number = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?").match
_match_word = re.compile(r"null|true|false|NaN|-?Infinity").match
_WORDS = {"null": None, "true": True, "false": False}
# A short list of numbers, such as a vector: the json module reads it at once, and far faster.
_match_numbers = re.compile(r'\[[^\[\]{}"]{0,65536}\]').match
_OPENING = {"[": list, "{": dict}
_CLOSING = {list: "]", dict: "}"}


@record
class Limits(Record):
    """How much a text may say: how deep it is, and how many lists and objects it has in all."""

    depth: int = TREE_DEPTH_MAX
    containers: int | None = None


class TooMuch(ValueError):
    """The text says more than a limit allows."""


class Reader:
    """Reads JSON as `json.loads` does, with the same errors. Raises TooMuch beyond `limits`."""

    def __init__(
        self,
        limits: Limits,
        *,
        new_object: type[dict[str, Any]] = dict,
        parse_int: Callable[[str], Any] = int,
        parse_constant: Callable[[str], Any] = float,
    ) -> None:
        self._limits = limits
        self._new_object = new_object
        self._parse_int = parse_int
        self._parse_constant = parse_constant
        self._numbers = json.JSONDecoder(
            parse_int=None if parse_int is int else parse_int, parse_constant=parse_constant
        ).scan_once  # type: ignore[attr-defined]
        self._containers = 0

    def whole(self, text: str) -> Any:
        """Return what `text` says."""
        self._containers = 0
        value, at = self._value(text, _after_space(text, 0))
        _expect_end(text, at)
        return value

    def items(self, text: str) -> Iterator[Any]:
        """Yield the items of the list that `text` is; limits hold for each of them."""
        at = _after_space(text, 0)
        if text[at : at + 1] != "[":
            raise JSONDecodeError("Expecting a list", text, at)
        at = _after_space(text, at + 1)
        ended = text[at : at + 1] == "]"
        while not ended:
            self._containers = 0
            item, at = self._value(text, at)
            yield item
            at = _after_space(text, at)
            ended = text[at : at + 1] == "]"
            if not ended:
                at = _after_comma(text, at)
        _expect_end(text, at + 1)

    def _value(self, text: str, at: int) -> tuple[Any, int]:
        """Return the value that begins at `at`, and where it ends."""
        stack: list[tuple[Any, str]] = []
        container: Any = None
        key = ""
        while True:
            opening = text[at : at + 1]
            if opening == '"':
                value, at = scanstring(text, at + 1, True)
            elif opening not in _OPENING:
                value, at = self._scalar(text, at)
            else:
                value = self._open(opening, len(stack))
                numbers = _match_numbers(text, at) if opening == "[" else None
                if numbers is not None:
                    try:
                        value, at = self._numbers(text, at)
                    except StopIteration as error:
                        raise JSONDecodeError("Expecting value", text, error.value) from None
                else:
                    at = _after_space(text, at + 1)
                    if text[at : at + 1] == _CLOSING[_OPENING[opening]]:
                        at += 1
                    else:
                        stack.append((container, key))
                        container = value
                        if opening == "{":
                            key, at = _key(text, at)
                        continue
            while container is not None:  # put it where it belongs, and close what ends here
                is_list = type(container) is list
                if is_list:
                    container.append(value)
                else:
                    container[key] = value
                at = _after_space(text, at)
                if text[at : at + 1] != ("]" if is_list else "}"):
                    at = _after_comma(text, at)
                    if not is_list:
                        key, at = _key(text, at)
                    break
                at += 1
                value = container
                container, key = stack.pop()
            if container is None:
                return value, at

    def _open(self, opening: str, depth: int) -> Any:
        self._containers += 1
        if depth >= self._limits.depth:
            raise TooMuch(f"it is nested too deeply: more than {self._limits.depth:,} levels")
        most = self._limits.containers
        if most is not None and self._containers > most:
            raise TooMuch(f"it has more than {most:,} lists and objects")
        return [] if opening == "[" else self._new_object()

    def _scalar(self, text: str, at: int) -> tuple[Any, int]:
        number = _match_number(text, at)
        if number is not None:
            whole, fraction, exponent = number.groups()
            if fraction or exponent:
                return float(number[0]), number.end()
            return self._parse_int(whole), number.end()
        word = _match_word(text, at)
        if word is None:
            raise JSONDecodeError("Expecting value", text, at)
        if word[0] in _WORDS:
            return _WORDS[word[0]], word.end()
        return self._parse_constant(word[0]), word.end()


def _after_space(text: str, at: int) -> int:
    return _skip_space(text, at).end()  # type: ignore[union-attr]  # it always matches


def _after_comma(text: str, at: int) -> int:
    if text[at : at + 1] != ",":
        raise JSONDecodeError("Expecting ',' delimiter", text, at)
    return _after_space(text, at + 1)


def _expect_end(text: str, at: int) -> None:
    at = _after_space(text, at)
    if at != len(text):
        raise JSONDecodeError("Extra data", text, at)


def _key(text: str, at: int) -> tuple[str, int]:
    """Return the key that begins at `at`, and where its value does."""
    if text[at : at + 1] != '"':
        raise JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
    key, at = scanstring(text, at + 1, True)
    at = _after_space(text, at)
    if text[at : at + 1] != ":":
        raise JSONDecodeError("Expecting ':' delimiter", text, at)
    return key, _after_space(text, at + 1)


def loads(text: str | bytes) -> Any:
    """Return what JSON says, nested up to `TREE_DEPTH_MAX`. Raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError:
        return Reader(Limits()).whole(text if isinstance(text, str) else str(text, "utf-8"))


def dumps(
    tree: Any,
    *,
    ascii_only: bool = True,
    indent: int | None = None,
    yielding: bool = False,
) -> str:
    """Return plain JSON as text, however deep, without spaces or with an indent.

    yielding: let other threads run meanwhile, which takes longer. Raises TypeError for what is no
    JSON, ValueError for NaN and infinity.
    """
    encoder = json.JSONEncoder(
        ensure_ascii=ascii_only,
        allow_nan=False,
        indent=indent,
        separators=(",", ":") if indent is None else None,
    )
    try:
        # Part by part it is Python that encodes, which lets go of the interpreter lock in between.
        return "".join(encoder.iterencode(tree)) if yielding else encoder.encode(tree)
    except RecursionError:
        return _dumps(tree, ascii_only, indent)


def is_large(tree: Any) -> bool:
    """Whether to encode this takes more than some 3 ms. It is not looked at any further then."""
    left = _LARGE_PARTS
    stack = [tree]
    while stack and left >= 0:
        item = stack.pop()
        if isinstance(item, str):
            left -= len(item) // _PART_CHARS
        elif isinstance(item, list | dict):
            left -= len(item)
            if left >= 0:
                stack.extend(item if isinstance(item, list) else item.values())
    return left < 0


def _dumps(tree: Any, ascii_only: bool, indent: int | None) -> str:
    """Return the same without recursion; keys must be strings."""
    text_of = encode_basestring_ascii if ascii_only else encode_basestring
    colon = ":" if indent is None else ": "
    parts: list[str] = []
    stack: list[tuple[Iterator[Any], str]] = []
    items: Iterator[Any] = iter((tree,))
    closing = ""
    first = True
    while True:
        for item in items:
            if closing:
                parts.append("" if first else ",")
                parts.append(_line(indent, len(stack)))
            first = False
            if closing == "}":
                key, item = item
                parts.append(text_of(key) + colon)
            if isinstance(item, list | dict):
                parts.append("[" if isinstance(item, list) else "{")
                stack.append((items, closing))
                closing = "]" if isinstance(item, list) else "}"
                items = iter(item if isinstance(item, list) else item.items())
                first = True
                break
            parts.append(text_of(item) if isinstance(item, str) else _scalar_text(item))
        else:
            if not stack:
                return "".join(parts)
            inner = len(stack) - 1
            parts.append(closing if first else _line(indent, inner) + closing)
            items, closing = stack.pop()
            first = False


def _line(indent: int | None, depth: int) -> str:
    return "" if indent is None else "\n" + " " * (indent * depth)


def _scalar_text(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
