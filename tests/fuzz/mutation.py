"""Random texts, values and changes, all from one seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

# Numbers and texts at the edges of something.
NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 7, 100, 255, 256, 65_535, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53 - 1, 2**53),
    *(2**60, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30, 0.5, -0.0, 1e308, -1e308, 5e-324),
)
TEXTS = (
    *(
        "",
        " ",
        "a",
        "A",
        "name",
        "x" * 300,
        "é",
        "日本",
        "\u202e",
        "\u0000",
        "\u001b[31m",
        "\ud800",
    ),
    *("../..", "/etc/passwd", "..%2f", "%00", "$ref", "__proto__", "null", "NaN", "-1", "1e999"),
    *("'", '"', "'; DROP TABLE t; --", "<script>", "{{7*7}}", "${HOME}", "\r\n", "\n", "\t", "\\"),
    *("2026-01-01T00:00:00Z", "99999-01-01", "5 minutes", "-5 minutes", "1 hour", "0"),
)
INTERESTING = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\n",
    b"\r\n",
    b'"',
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
)


def text(random: Random) -> str:
    """Return a short text, often an unpleasant one."""
    if random.random() < 0.6:
        return random.choice(TEXTS)
    return "".join(
        chr(random.choice((random.randrange(32, 127), random.randrange(0x3000))))
        for _ in range(random.randrange(8))
    )


def json_value(random: Random, depth: int = 3) -> Any:
    """Return any JSON value."""
    match random.randrange(9 if depth else 6):
        case 0:
            return None
        case 1:
            return random.random() < 0.5
        case 2 | 3:
            return random.choice(NUMBERS)
        case 4 | 5:
            return text(random)
        case 6 | 7:
            return [json_value(random, depth - 1) for _ in range(random.randrange(4))]
    return {text(random): json_value(random, depth - 1) for _ in range(random.randrange(4))}


def changed_json(random: Random, value: Any, depth: int = 0) -> Any:
    """Return a JSON value with one thing in it changed: replaced, left out, doubled, or added."""
    if isinstance(value, dict) and value and (depth == 0 or random.random() < 0.8):
        key = random.choice(list(value))
        match random.randrange(8):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {**value, text(random): json_value(random, 2)}
            case 2:
                return {(text(random) if k == key else k): v for k, v in value.items()}
        return {**value, key: changed_json(random, value[key], depth + 1)}
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        match random.randrange(5):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return value[:at] + [value[at]] + value[at:]
            case 2:
                return [*value, json_value(random, 2)]
        return [*value[:at], changed_json(random, value[at], depth + 1), *value[at + 1 :]]
    return json_value(random, 2)


def json_bytes(value: Any) -> bytes:
    """Return a JSON value on one line, lone surrogates escaped."""
    return json.dumps(value).encode()


def changed_bytes(random: Random, data: bytes, tokens: Sequence[bytes] = INTERESTING) -> bytes:
    """Return bytes with a few places changed: bits, runs left out, doubled or put in."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        at = random.randrange(len(changed) + 1)
        run = random.choice((1, 1, 2, 8, 40))
        match random.randrange(6):
            case 0 if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
            case 1:
                del changed[at : at + run]
            case 2:
                changed[at:at] = changed[at : at + run]
            case 3:
                changed[at:at] = random.choice(tokens)
            case 4:
                changed[at : at + run] = random.choice(tokens)
            case 5:
                changed[at:at] = random.choice(tokens) * random.choice((2, 16, 300))
    return bytes(changed)
