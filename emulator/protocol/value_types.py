"""The kinds of values that have no Python type of their own, and what can be wrong with a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import dates
from .record import Record, record

MAX_SAFE_INTEGER = 2**53 - 1  # ECMAScript Number.MAX_SAFE_INTEGER
# Containers inside one another. The SDK's own conversion is recursive Python and ends at the usual
# limit of 1,000 calls; the rest is room for the few containers that we put around a value.
DEPTH_MAX = 1_024
# Typed arrays, as the formats of the struct module.
ARRAY_FORMATS = {
    "Int8Array": "b",
    "Int16Array": "h",
    "Uint16Array": "H",
    "Int32Array": "i",
    "Uint32Array": "I",
    "BigInt64Array": "q",
    "BigUint64Array": "Q",
    "Float32Array": "f",
    "Float64Array": "d",
}


class NotCloneable(TypeError):
    """`what` cannot be carried, `where` it sits (`"users[1].score"`), and why."""

    def __init__(self, what: str, problem: str = "could not be cloned") -> None:
        super().__init__(what, problem)
        self.what = what
        self.problem = problem
        self.where = ""

    def __str__(self) -> str:
        where = f" at {self.where}" if self.where else ""
        return f"{self.what}{where} {self.problem}"


class TooDeep(NotCloneable):
    """The value has containers more than `DEPTH_MAX` deep in one another."""


class TooManyCopies(NotCloneable):
    """The value has too many containers when each place gets one of its own."""


class MalformedValue(ValueError):
    """The bytes are not tagged JSON.

    `path` says where, if the text is JSON at all: `("users", 1, "score")`, tags left out.
    """

    def __init__(self, message: str, path: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


@record
class ErrorValue(Record):
    """An Error object that travels as data."""

    name: str
    message: str


@record
class MapValue(Record):
    """A JavaScript Map: pairs in insertion order, keys of any type."""

    pairs: list[tuple[Any, Any]]


@record
class RegExpValue(Record):
    """A JavaScript RegExp."""

    source: str
    flags: str


@record
class TypedArray(Record):
    """A JavaScript typed array other than Uint8Array: `kind` is `"Float32Array"` and the like."""

    kind: str
    data: bytes

    def view(self) -> memoryview:
        """Return its elements. Raises TypeError when the bytes are no whole number of them."""
        view = memoryview(self.data)
        code = ARRAY_FORMATS.get(self.kind)
        return view if code is None else view.cast(code)  # type: ignore[call-overload]


@record
class StreamValue(Record):
    """A byte stream that a step returned: not the bytes, but where the host has them.

    `size` is in bytes. `preview` is what people are shown of it.
    """

    id: int
    chunks: int
    size: int
    preview: str


@record
class StubValue(Record):
    """A function, or an object with methods, that stays where it is: `owner` is the address of its
    guest, and `id` its number there.
    """

    owner: str
    id: int


class Body:
    """Stands in a payload where the body belongs that follows it on the same exchange."""


BODY = Body()


def _same(value: Any) -> Any:
    return value


def _no_body() -> Any:
    raise ValueError("no body follows this payload")


def _no_stub(value: StubValue) -> Any:
    raise ValueError("a stub, where no function is taken")


def _empty_map() -> Any:
    return MapValue([])


@record
class Shapes(Record):
    """What the reader wants each kind of value to become; the defaults are the host's.

    date: is given milliseconds; the ValueError that it raises says why there is no such date.
    new_map: makes what a Map becomes: a MapValue, or a dict that gets the texts of its keys.
    body: returns the body that follows the payload. stub: makes what calls a function elsewhere.
    """

    new_object: type[dict[str, Any]] = dict
    date: Callable[[float], Any] = dates.utc
    binary: Callable[[bytes], Any] = _same
    typed: Callable[[TypedArray], Any] = _same
    new_map: Callable[[], Any] = _empty_map
    error: Callable[[ErrorValue], Any] = _same
    regexp: Callable[[RegExpValue], Any] = _same
    stream: Callable[[StreamValue], Any] = _same
    body: Callable[[], Any] = _no_body
    stub: Callable[[StubValue], Any] = _no_stub


HOST_SHAPES = Shapes()
