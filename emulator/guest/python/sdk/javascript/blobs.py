"""`Blob`, `File` and `FormData`: what the SDK's classes of these names hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...streams import ReadableStream
from ..jsnull import JsNull, jsnull
from ..jsobject import JsObject, options, show_as
from ..jsproxy import JsArrayProxy, JsProxy, call_with
from ..jstext import js_text
from ..workers import blob as sdk
from ..workers import formdata as sdk_forms
from .buffers import ArrayBuffer, Uint8Array, bytes_of
from .promises import promised


class Blob(JsObject):
    """Bytes with a type."""

    def __init__(self, parts: Any = None, given: Any = None, **keywords: Any) -> None:
        chosen = options(given, keywords)
        self._own = sdk.Blob([_part(part) for part in parts or ()], _type(chosen.get("type")))

    @classmethod
    def of(cls, own: sdk.Blob) -> Blob:
        """Return what shows a Blob or File of the SDK."""
        made = (File if isinstance(own, sdk.File) else Blob).__new__(
            File if isinstance(own, sdk.File) else Blob
        )
        made._own = own
        return made

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self._own.size

    @property
    def type(self) -> str:
        """The content type."""
        return self._own.content_type

    @promised
    async def text(self) -> str:
        """Return the content as UTF-8."""
        return await self._own.text()

    @promised
    async def arrayBuffer(self) -> ArrayBuffer:  # JavaScript's name
        """Return the content."""
        return ArrayBuffer(sdk.content_of(self._own))

    @promised
    async def bytes(self) -> Uint8Array:
        """Return the content."""
        return Uint8Array(ArrayBuffer(sdk.content_of(self._own)))

    def slice(self, start: Any = None, end: Any = None, type: Any = None) -> Blob:
        """Return a part."""
        content = sdk.content_of(self._own)[start or 0 : end]
        return Blob.of(sdk.Blob([content], _type(type)))

    def stream(self) -> Any:
        """Return the content as a stream."""
        return ReadableStream([sdk.content_of(self._own)])


class File(Blob):
    """A Blob with a name."""

    def __init__(self, parts: Any, name: Any, given: Any = None, **keywords: Any) -> None:
        chosen = options(given, keywords)
        self._own = sdk.File(
            [_part(part) for part in parts],
            js_text(name),
            _type(chosen.get("type")),
            last_modified=chosen.get("lastModified"),
        )

    @property
    def name(self) -> str:
        """The file's name."""
        return self._file.name

    @property
    def lastModified(self) -> int:  # JavaScript's name
        """When it was changed: milliseconds since 1970."""
        return self._file.last_modified

    @property
    def _file(self) -> sdk.File:
        assert isinstance(self._own, sdk.File)
        return self._own


class FormData(JsObject):
    """Fields of a form, in order; names may repeat."""

    def __init__(self) -> None:
        self._own = sdk_forms.FormData()

    @classmethod
    def of(cls, own: sdk_forms.FormData) -> FormData:
        """Return what shows and changes a FormData of the SDK."""
        made = cls.__new__(cls)
        made._own = own
        return made

    def append(self, name: str, value: Any, filename: Any = None) -> None:
        """Add a field."""
        self._own._fields.append((js_text(name), sdk_forms.field_of(value, filename)))

    def set(self, name: str, value: Any, filename: Any = None) -> None:
        """Put a field in place of all others of the name."""
        self._own.delete(name)
        self.append(name, value, filename)

    def get(self, name: str) -> Any:
        """Return the first value; null if there is none."""
        found = self._own.get_all(name)
        return _shown(found[0]) if found else jsnull

    def getAll(self, name: str) -> JsProxy:  # JavaScript's name
        """Return all values."""
        return JsArrayProxy([_shown(each) for each in self._own.get_all(name)], "getAll(…)")

    def has(self, name: str) -> bool:
        """Whether a name is there."""
        return name in self._own

    def delete(self, name: str) -> None:
        """Remove all fields of a name."""
        self._own.delete(name)

    def keys(self) -> Iterator[str]:
        """Return the names."""
        return self._own.keys()

    def values(self) -> Iterator[Any]:
        """Return the values."""
        return map(_shown, self._own.values())

    def entries(self) -> Iterator[Any]:
        """Return pairs."""
        return (JsArrayProxy([key, _shown(value)], "a field") for key, value in self._own.items())

    def forEach(self, function: Any) -> None:  # JavaScript's name
        """Call `function(value, name, form)` for each."""
        for key, value in self._own.items():
            call_with(function, _shown(value), key, self)

    __iter__ = entries

    def __contains__(self, name: str) -> bool:
        return self.has(name)

    def __getitem__(self, name: str) -> Any:
        return self.get(name)


def _shown(value: Any) -> Any:
    return Blob.of(value) if isinstance(value, sdk.Blob) else value


def _part(part: Any) -> Any:
    if isinstance(part, str):
        return part
    if isinstance(part, Blob | sdk.Blob):
        return sdk.content_of(part._own if isinstance(part, Blob) else part)
    data = bytes_of(part)
    return js_text(part) if data is None else data


def _type(given: Any) -> str:
    if given is None or isinstance(given, JsNull):
        return ""
    text = js_text(given)
    return text.lower() if all(" " <= char <= "~" for char in text) else ""


show_as(sdk.Blob, Blob.of)
show_as(sdk_forms.FormData, FormData.of)
