"""Makes a text that matches a regular expression, for the usual patterns in schemas. Pure.

It knows literals, classes, groups, alternatives, quantifiers and anchors. It ignores look-around
and back-references, which it does not know. The caller checks the result and may give up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

CLASSES = {"d": "0123456789", "w": "abcdefghijklmnopqrstuvwxyz0123456789_", "s": " "}
ANY = "abcdefghijklmnopqrstuvwxyz"
ASCII = [chr(code) for code in range(0x20, 0x7F)]
PREFERRED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
ALTERNATIVES_MAX = 8
ATOMS_MAX = 20_000  # for a pattern that demands more, no text is made


def examples(pattern: str, min_length: int, spend: Callable[[int], None]) -> Iterator[str]:
    """Yield a few texts that should match `pattern`, the shortest kinds first.

    `spend` counts the work, and may raise when it is too much.
    """
    for extra in dict.fromkeys((0, min_length, 1, 3)):
        for choice in range(ALTERNATIVES_MAX):
            yield _Generator(pattern, extra, choice, spend).generate()


class _Generator:
    """Reads a pattern once and writes a text; `extra` is added to each repeat that may grow."""

    def __init__(self, pattern: str, extra: int, choice: int, spend: Callable[[int], None]) -> None:
        self._pattern = pattern
        self._at = 0
        self._extra = extra
        self._choice = choice
        self._spend = spend
        self._atoms = 0
        self._picked = 0

    def generate(self) -> str:
        text = self._alternatives()
        while self._at < len(self._pattern):  # a stray closing bracket
            self._at += 1
            text += self._alternatives()
        return text

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._peek()
        self._at += 1
        return character

    def _alternatives(self) -> str:
        options = [self._sequence()]
        while self._peek() == "|":
            self._take()
            options.append(self._sequence())
        return options[self._choice % len(options)]

    def _sequence(self) -> str:
        text = ""
        while self._peek() not in ("", "|", ")"):
            start = self._at
            piece = self._atom()
            low, high = self._quantifier()
            count = min(high, max(low, self._extra if high > low else low))
            if count == 0 and high > 0 and self._extra:
                count = 1
            after = self._at
            text += piece if count else ""
            for _ in range(count - 1):  # read again, so that repeated characters differ
                if self._atoms > ATOMS_MAX:
                    break
                self._at = start
                text += self._atom()
            self._at = after
        return text

    def _atom(self) -> str:
        self._atoms += 1
        self._spend(1)
        character = self._take()
        match character:
            case "^" | "$":
                return ""
            case "(":
                return self._group()
            case "[":
                return self._pick(self._class())
            case ".":
                return self._pick(ANY)
            case "\\":
                return self._escape()
            case _:
                return character

    def _group(self) -> str:
        is_assertion = False
        if self._peek() == "?":
            self._take()
            kind = self._take()
            if kind == "P":
                kind = self._take()
            if kind == "<" and self._peek() not in ("=", "!"):
                while self._take() not in (">", ""):
                    pass
            else:
                is_assertion = kind in ("=", "!", "<")
        text = self._alternatives()
        self._take()
        return "" if is_assertion else text

    def _escape(self) -> str:
        character = self._take()
        if character in ("b", "B", "A", "Z", "z"):
            return ""
        if character in CLASSES:
            return self._pick(CLASSES[character])
        if character.lower() in CLASSES:
            excluded = CLASSES[character.lower()]
            return self._pick("".join(c for c in ASCII if c.lower() not in excluded))
        return {"n": "\n", "t": "\t", "r": "\r"}.get(character, character)

    def _class(self) -> str:
        negated = self._peek() == "^"
        if negated:
            self._take()
        members: list[str] = []
        while self._peek() not in ("]", "") or not members:
            character = self._take()
            if not character:
                break
            if character == "\\":
                name = self._take()
                members.extend(CLASSES.get(name, name))
            elif self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] not in (
                "]",
                "",
            ):
                self._take()
                last = self._take()
                members.extend(map(chr, islice(range(ord(character), ord(last) + 1), 128)))
            else:
                members.append(character)
        self._take()
        self._spend(len(members))
        if negated:
            return "".join(c for c in ASCII if c not in members)
        return "".join(members)

    def _pick(self, members: str) -> str:
        if not members:
            return ""
        nice = [character for character in members if character in PREFERRED] or list(members)
        self._picked += 1
        return nice[(self._picked - 1) % len(nice)]

    def _quantifier(self) -> tuple[int, int]:
        limit = 1_000
        match self._peek():
            case "*":
                bounds = (0, limit)
            case "+":
                bounds = (1, limit)
            case "?":
                bounds = (0, 1)
            case "{":
                end = self._pattern.find("}", self._at)
                low, comma, high = self._pattern[self._at + 1 : end].partition(",")
                if end < 0 or not low.isdigit() or (high and not high.isdigit()):
                    return (1, 1)
                self._at = end
                least = min(int(low), limit)
                bounds = (least, min(int(high), limit) if high else limit if comma else least)
            case _:
                return (1, 1)
        self._take()
        if self._peek() in ("?", "+"):
            self._take()
        return bounds
