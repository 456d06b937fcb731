"""`ArrayBuffer`, `DataView` and the typed arrays."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from ..jserror import JsException
from ..jsnull import JsNull
from ..jsobject import JsObject
from ..jsproxy import JsArrayProxy, JsProxy
from .functions import python_of


class Buffer(JsObject):
    """What all of them share with Python's buffers; `_view` is their memory."""

    _view: memoryview

    @property
    def byteLength(self) -> int:  # JavaScript's name
        """The length in bytes."""
        return self._view.nbytes

    def to_py(self, *, depth: int = -1, default_converter: Any = None) -> memoryview:
        """Return a view of a copy."""
        return _copied(self._view)

    to_memoryview = to_py

    def _to_py(self, conversion: Any, depth: int, default_converter: Any) -> Any:
        return self.to_py()

    def _plain(self) -> Any:
        return self._view

    def to_bytes(self) -> bytes:
        """Return a copy as bytes."""
        return self._view.tobytes()

    def to_string(self, encoding: str | None = None) -> str:
        """Return the text in it."""
        return self._view.tobytes().decode(encoding or "utf-8")

    def assign(self, data: Any, /) -> None:
        """Copy from an object with a buffer of the same size."""
        self._view.cast("B")[:] = memoryview(data).cast("B")

    def assign_to(self, data: Any, /) -> None:
        """Copy into an object with a buffer of the same size."""
        memoryview(data).cast("B")[:] = self._view.cast("B")

    def to_file(self, file: Any, /) -> None:
        """Write it to a file."""
        file.write(self._view.cast("B"))

    def from_file(self, file: Any, /) -> None:
        """Read a file into it."""
        file.readinto(self._view.cast("B"))


class ArrayBuffer(Buffer):
    """Memory."""

    def __init__(self, length: Any = 0) -> None:
        self._view = memoryview(bytearray(length))

    @staticmethod
    def isView(value: Any) -> bool:  # JavaScript's name
        """Whether a value is a typed array or a DataView."""
        return isinstance(value, TypedArray | DataView)

    def slice(self, start: int = 0, end: int | None = None) -> ArrayBuffer:
        """Return a copy of a part."""
        return ArrayBuffer(self._view[start:end])


class TypedArray(Buffer):
    """Numbers of one kind, in memory."""

    BYTES_PER_ELEMENT: ClassVar[int]
    _format: ClassVar[str]

    def __init__(self, source: Any = 0, byteOffset: int = 0, length: int | None = None) -> None:
        source = python_of(source)
        if isinstance(source, ArrayBuffer):
            self.buffer, self.byteOffset = source, byteOffset
            end = None if length is None else byteOffset + length * self.BYTES_PER_ELEMENT
            self._view = _cast(source._view[byteOffset:end], self._format)
            return
        items = bytes(source * self.BYTES_PER_ELEMENT) if type(source) is int else None
        if isinstance(source, bytes | bytearray) and self._format == "B":
            items = bytes(source)
        if items is None:
            numbers = [] if source is None else [self._number(item) for item in source]
            items = struct.pack(f"={len(numbers)}{self._format}", *numbers)
        self.buffer, self.byteOffset = ArrayBuffer(items), 0
        self._view = _cast(self.buffer._view, self._format)

    @classmethod
    def of(cls, *items: Any) -> TypedArray:
        """Return an array of these numbers."""
        return cls(items)

    @classmethod
    def from_(cls, items: Iterable[Any]) -> TypedArray:
        """Return an array of what can be iterated."""
        return cls(list(items))

    @property
    def length(self) -> int:
        """How many numbers it has."""
        return len(self._view)

    def __len__(self) -> int:
        return len(self._view)

    def __bool__(self) -> bool:
        return len(self._view) > 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self._view.tolist())

    def __contains__(self, value: Any) -> bool:
        return value in self._view.tolist()

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise NotImplementedError("Slice subscripting isn't implemented for typed arrays")
        return self._view[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._view[index] = self._number(value)

    def at(self, index: int) -> Any:
        """Return a number; None if there is none."""
        return self._view[index] if -len(self) <= index < len(self) else None

    def set(self, source: Any, offset: int = 0) -> None:
        """Copy numbers into it."""
        for n, item in enumerate(source):
            self[offset + n] = item

    def fill(self, value: Any) -> TypedArray:
        """Set all numbers."""
        for n in range(len(self)):
            self[n] = value
        return self

    def slice(self, start: int = 0, end: int | None = None) -> TypedArray:
        """Return a copy of a part."""
        return type(self)(ArrayBuffer(self._view[start:end].tobytes()))

    def subarray(self, start: int = 0, end: int | None = None) -> TypedArray:
        """Return a part that shares the memory."""
        first, last, _ = slice(start, end).indices(len(self))
        size = self.BYTES_PER_ELEMENT
        return type(self)(self.buffer, self.byteOffset + first * size, max(0, last - first))

    def join(self, between: str = ",") -> str:
        """Return the numbers as one text."""
        return between.join(str(JsArrayProxy([item], "")) for item in self)

    def toString(self) -> str:  # JavaScript's name
        """Return what `str()` gives."""
        return self.join()

    @classmethod
    def _number(cls, value: Any) -> Any:
        """Return a number as one of these arrays keeps it: whole ones lose what does not fit."""
        value = 0 if value is None or isinstance(value, JsNull) else value
        if cls._format in "fd":
            return float(value)
        bits = cls.BYTES_PER_ELEMENT * 8
        whole = int(value) if value == value and abs(value) != float("inf") else 0
        whole &= (1 << bits) - 1
        return whole - (1 << bits) if cls._format.islower() and whole >> (bits - 1) else whole


class Uint8Array(TypedArray):
    """Bytes."""


class Uint8ClampedArray(TypedArray):
    """Bytes; a number that does not fit becomes the nearest that does."""

    @classmethod
    def _number(cls, value: Any) -> Any:
        return max(0, min(255, round(value)))


def _kind(name: str) -> type[TypedArray]:
    make: Any = type(TypedArray)
    kind: type[TypedArray] = make(name, (TypedArray,), {"__doc__": f"`{name}`."})
    return kind


Int8Array, Int16Array, Uint16Array = map(_kind, ("Int8Array", "Int16Array", "Uint16Array"))
Int32Array, Uint32Array = map(_kind, ("Int32Array", "Uint32Array"))
BigInt64Array, BigUint64Array = map(_kind, ("BigInt64Array", "BigUint64Array"))
Float32Array, Float64Array = map(_kind, ("Float32Array", "Float64Array"))
FORMATS: dict[str, type[TypedArray]] = {
    "B": Uint8Array,
    "b": Int8Array,
    "h": Int16Array,
    "H": Uint16Array,
    "i": Int32Array,
    "I": Uint32Array,
    "q": BigInt64Array,
    "Q": BigUint64Array,
    "f": Float32Array,
    "d": Float64Array,
}
_ALL: list[tuple[str, type[TypedArray]]] = [*FORMATS.items(), ("B", Uint8ClampedArray)]
for _format, _class in _ALL:
    _class._format, _class.BYTES_PER_ELEMENT = _format, struct.calcsize(f"={_format}")


class DataView(Buffer):
    """Numbers of any kind at any place in memory. `getUint16(place, little)` and so on."""

    def __init__(self, buffer: ArrayBuffer, byteOffset: int = 0, length: int | None = None) -> None:
        self.buffer, self.byteOffset = buffer, byteOffset
        end = None if length is None else byteOffset + length
        self._view = buffer._view[byteOffset:end]

    def __getattr__(self, name: str) -> Any:
        kind = next((k for k in FORMATS.values() if name[3:] == k.__name__[: -len("Array")]), None)
        if kind is None or name[:3] not in ("get", "set"):
            return super().__getattr__(name)
        format = kind._format

        def get(place: int, little: bool = False) -> Any:
            self._check(place, kind)
            return struct.unpack_from(f"{'<' if little else '>'}{format}", self._view, place)[0]

        def put(place: int, value: Any, little: bool = False) -> None:
            self._check(place, kind)
            order = "<" if little else ">"
            struct.pack_into(f"{order}{format}", self._view, place, kind._number(value))

        return get if name.startswith("get") else put

    def _check(self, place: int, kind: type[TypedArray]) -> None:
        if not 0 <= place <= self._view.nbytes - kind.BYTES_PER_ELEMENT:
            raise JsException("Offset is outside the bounds of the DataView", "RangeError")


def array_of_buffer(view: memoryview) -> JsProxy:
    """Return a typed array with a copy of a buffer's contents."""
    kind = FORMATS.get(view.format[-1:].replace("l", "i").replace("c", "B"), Uint8Array)
    return kind(ArrayBuffer(view.tobytes()))


def bytes_of(value: Any) -> bytes | None:
    """Return the bytes of what has a buffer, in JavaScript or Python; None if it has none."""
    value = python_of(value)
    if isinstance(value, Buffer):
        return value.to_bytes()
    try:
        return memoryview(value).tobytes()
    except TypeError:
        return None


def _copied(view: memoryview) -> memoryview:
    return _cast(memoryview(bytearray(view.tobytes())), view.format)


def _cast(view: memoryview, format: str) -> memoryview:
    cast: Any = view.cast
    made: memoryview = cast(format)
    return made
