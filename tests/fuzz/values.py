"""Values that cross between host and guest: what one side writes, both sides read."""

from __future__ import annotations

import json
import math
import re
from array import array
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from random import Random
from typing import Any

from emulator.guest.python import conversion
from emulator.guest.python.sdk.pyodide.ffi import JsException, jsnull
from emulator.protocol import values
from emulator.protocol.values import MalformedValue, NotCloneable
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import NUMBERS, changed_bytes, text


class Colour(str, Enum):  # noqa: UP042  # the mixed form is what users write
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Name(str):
    pass


class Count(int):
    pass


def _deep(random: Random) -> Any:
    depth = random.choice((3, 50, 200, 326, 500, 990, 3_000, 20_000))
    value: Any = random.choice((1, "x", None))
    for _ in range(depth):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


def _date(random: Random) -> datetime:
    fixed = (datetime.max, datetime.min, datetime(1970, 1, 1), datetime(2038, 1, 19, 3, 14, 8))
    zone = random.choice((None, UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))))
    moment = random.choice(fixed).replace(tzinfo=zone)
    return moment + timedelta(0) if zone is None else moment


def _cycle(random: Random) -> Any:
    value: list[Any] = [1]
    value.append(random.choice((value, {"again": value})))
    return value


_LEAVES: tuple[Callable[[Random], Any], ...] = (
    lambda random: random.choice((None, True, False)),
    lambda random: random.choice(NUMBERS),
    lambda random: random.choice((math.nan, math.inf, -math.inf, 10**40, Decimal(1))),
    text,
    text,
    _date,
    lambda random: date(2026, 1, 1),
    lambda random: random.choice((b"", b"x", b"y" * 1_000, bytearray(b"z"), memoryview(b"abc"))),
    lambda random: memoryview(array(random.choice("bBhHiIlLqQfd"), [1, 2])),
    lambda random: random.choice((Colour.RED, Size.BIG, Name("n"), Count(4))),
    lambda random: random.choice((jsnull, JsException("m", "N"), ValueError("v"), re.compile("a"))),
    lambda random: random.choice((object(), len, lambda: 1, type, ...)),
)


def random_value(random: Random, depth: int = 4) -> Any:
    """Return a Python value of any kind that users return from steps."""
    if depth == 0 or random.random() < 0.4:
        return random.choice(_LEAVES)(random)
    inner = [random_value(random, depth - 1) for _ in range(random.randrange(4))]
    match random.randrange(9):
        case 0 | 1:
            return inner
        case 2:
            return tuple(inner)
        case 3:
            return {_hashable(one) for one in inner}
        case 4:
            return frozenset(_hashable(one) for one in inner)
        case 5:
            tag = random.choice(("$date", "$ref", "$bytes", "$map", "$object", "$set", "$stored"))
            return {tag: inner[0] if inner else 0}
        case 6:
            return _cycle(random) if random.random() < 0.5 else _deep(random)
        case 7:
            return {"thumb": b"", "all": inner}
    keys = (text(random), 1, True, None, 2.5, (1,))
    return {random.choice(keys): one for one in inner}


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except (TypeError, ValueError):
        return repr(type(value))
    return value


# Tagged JSON to begin with.
_CORPUS = (
    *(b'{"$date":1767225600000}', b'{"$bytes":"AAEC"}', b'{"$typed":["Float32Array","AAAAAA=="]}'),
    *(b'{"$bigint":"123"}', b'{"$number":"NaN"}', b'{"$map":[["k",{"a":1}]]}', b'{"$set":[1,"b"]}'),
    *(b'{"$regexp":["a","g"]}', b'{"$error":{"name":"E","message":"m"}}', b'[[],{"$ref":1}]'),
    *(b'{"$object":{"$date":1}}', b'{"$undefined":1}', b'[{"a":[1,2.5,"x",null,true]},{"$ref":0}]'),
    *(
        b'{"$stored":[1,2,3,"p"]}',
        b'{"$stream":[1,2,3,"p"]}',
        b'{"$body":1}',
        b'{"$buffer":"AA=="}',
    ),
)
_TOKENS = (
    *(
        b"$date",
        b"$ref",
        b"$set",
        b"$map",
        b"$bigint",
        b"$typed",
        b"$object",
        b"$error",
        b"$stored",
        b"$stream",
        b"$body",
    ),
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"0", b"-1", b"1e400", b"1152921504606846976"),
    *(
        b"null",
        b"9" * 5_000,
        b"[" * 200,
        b'{"$set":[',
        b'{"$map":[[',
        b'"\\ud800"',
        b"\xff",
        b"Int8Array",
    ),
)


class Values(Target):
    """An input is tagged JSON, or `#` and the seed of a Python value."""

    name = "values"
    about = "values between host and guest, written and read on both sides, and damaged ones"

    def make(self, random: Random) -> bytes:
        if random.random() < 0.5:
            return f"#{random.randrange(1 << 40)}".encode()
        return changed_bytes(random, random.choice(_CORPUS), _TOKENS)

    def check(self, data: bytes) -> None:
        if not data.startswith(b"#"):
            self._check_read(data)
        elif data[1:].isdigit():  # or it was made too small
            self._check_written(random_value(Random(int(data[1:]))))

    def _check_written(self, value: Any) -> None:
        """What a side agrees to write, both can read, and write again."""
        for write in (conversion.encode, values.encode):
            data = _written(write, value)
            if data is not None:
                values.size(data)
                self._check_both_read(data)

    def _check_both_read(self, data: bytes) -> None:
        for side, read, write in (
            ("host", values.decode, values.encode),
            ("guest", conversion.decode, conversion.encode),
        ):
            try:
                value = read(data)
            except MalformedValue as error:
                raise Broken(f"the {side} cannot read {data[:200]!r}: {error}") from error
            _written(write, value)

    def _check_read(self, data: bytes) -> None:
        """Bytes are a value on both sides, or malformed; nothing else is raised."""
        for read in (values.decode, conversion.decode):
            try:
                read(data)
            except MalformedValue:
                pass
        values.size(data)
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            return


def _written(write: Callable[[Any], bytes], value: Any) -> bytes | None:
    """Return a value as bytes; None where it is refused."""
    try:
        return write(value)
    except (NotCloneable, TypeError, JsException):
        return None
    except RecursionError as error:  # as deployed, where it has this text
        if "contains itself" not in str(error):
            raise
        return None
