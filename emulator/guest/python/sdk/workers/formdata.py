"""`FormData`: form fields in order, names repeatable.

Source: docs/platform/python-workers.md, "Forms and blobs".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from typing import Any

from ..jsnull import JsNull, jsnull
from ..jsobject import is_named, shown
from ..jstext import js_text
from .blob import Blob, File, content_of

FormDataValue = str | Blob | File


class FormData(MutableMapping[str, Any]):
    """Form fields; `fd[name]` is the first value, or JavaScript's null."""

    def __new__(cls, form_data: Any = None) -> FormData:
        if not is_named(form_data, "FormData"):
            return super().__new__(cls)
        own: FormData = form_data._own
        return own

    def __init__(self, form_data: Any = None) -> None:
        if is_named(form_data, "FormData"):
            return
        if form_data and not isinstance(form_data, dict):
            raise TypeError("Expected form_data to be a dict or an instance of FormData")
        self._fields: list[tuple[str, FormDataValue]] = []
        for name, value in (form_data or {}).items():
            self.append(name, value)

    @property
    def js_object(self) -> Any:
        """The form as `js.FormData`."""
        return shown(self)

    def append(self, name: str, value: FormDataValue, filename: str | None = None) -> None:
        """Add a field after the others."""
        self._fields.append((js_text(name), field_of(value, filename)))

    def delete(self, name: str) -> None:
        """Remove every field called `name`."""
        self._fields = [field for field in self._fields if field[0] != name]

    def get_all(self, name: str) -> list[FormDataValue]:
        """Return every value of `name`."""
        return [value for key, value in self._fields if key == name]

    def __getitem__(self, name: str) -> Any:
        return next((value for key, value in self._fields if key == name), jsnull)

    def __len__(self) -> int:
        raise TypeError("object of type 'generator' has no len()")  # as in the published SDK

    def __setitem__(self, name: str, value: FormDataValue) -> None:
        if isinstance(value, list):
            raise TypeError("Expected single item in arguments to FormData.__setitem__")
        self.delete(name)
        self.append(name, value)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self._fields)

    def __iter__(self) -> Iterator[str]:
        return self.keys()

    def keys(self) -> Iterator[str]:  # type: ignore[override]
        """Yield names, repeats included."""
        return (name for name, _ in self._fields)

    def values(self) -> Iterator[FormDataValue]:  # type: ignore[override]
        """Yield values."""
        return (value for _, value in self._fields)

    def items(self) -> Iterator[tuple[str, FormDataValue]]:  # type: ignore[override]
        """Yield fields."""
        return iter(list(self._fields))


def field_of(value: Any, filename: Any = None) -> Any:
    """Return the value of a field as the SDK keeps it."""
    own = value._own if is_named(value, "Blob", "File") else value
    if not isinstance(own, Blob):
        return js_text(value)
    if isinstance(own, File) and filename is None:
        return own
    name = "blob" if filename is None or isinstance(filename, JsNull) else js_text(filename)
    return File([content_of(own)], name, own.content_type)


def as_multipart(form: FormData) -> tuple[bytes, str]:
    """Return the form as a multipart body and its content type."""
    boundary = f"----groundfog{os.urandom(16).hex()}"
    parts: list[bytes] = []
    for name, value in form.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'
        if isinstance(value, Blob):
            filename = value.name if isinstance(value, File) else "blob"
            kind = value.content_type or "application/octet-stream"
            head += f'; filename="{_quoted(filename)}"\r\nContent-Type: {kind}'
            data = content_of(value)
        else:
            data = str(value).encode()
        parts.append(head.encode() + b"\r\n\r\n" + data + b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
