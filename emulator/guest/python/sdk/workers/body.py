"""Bodies of requests and responses: bytes or a stream, readable once."""

from __future__ import annotations

import json
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from ... import deployed
from ...streams import Chunk, ReadableStream, is_streamable
from ..absent import TEXT
from ..javascript.buffers import FORMATS, ArrayBuffer, bytes_of
from ..javascript.functions import python_of
from ..jsobject import is_named
from .blob import Blob, File
from .formdata import FormData, as_multipart
from .headers import HeaderList

Content: TypeAlias = bytes | ReadableStream

_BUFFERS = ("ArrayBuffer", "DataView", *(kind.__name__ for kind in FORMATS.values()))


class Body:
    """What `Request` and `Response` share: a body and the ways to read it."""

    _already_used = "Body already used"
    _whose = "Body"  # in messages
    _buffers: Any = (bytes,)  # types: what a body may be beside text, forms and streams
    _used_error: type[OSError] = OSError

    def __init__(self, content: bytes | ReadableStream | None) -> None:
        self._content = content
        self._used = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kind = type(self).__name__
        raise AttributeError(f"{kind!r} object has no attribute {name!r}: {TEXT}")

    @property
    def body(self) -> ReadableStream | None:
        """The body as a stream; None when there is none."""
        if isinstance(self._content, bytes):
            self._content = ReadableStream([Chunk(self._content)] if self._content else [])
        return self._content

    @property
    def body_used(self) -> bool:
        """Whether the body has been read, or is being read."""
        return self._used or (isinstance(self._content, ReadableStream) and self._content.locked)

    async def bytes(self) -> bytes:
        """Read the body. Raises OSError when it has been read before."""
        if self.body_used:
            raise self._used_error(self._already_used)
        self._used = True
        if isinstance(self._content, ReadableStream):
            return await self._content.to_bytes()
        return self._content or b""

    async def buffer(self) -> ArrayBuffer:
        """Read the body as JavaScript's buffer, with `to_bytes()`."""
        return ArrayBuffer(await self.bytes())

    async def text(self) -> str:
        """Read the body as UTF-8."""
        return (await self.bytes()).decode("utf-8", "replace").removeprefix("\ufeff")

    async def json(self, **options: Any) -> Any:
        """Read the body as JSON, with `json.loads(**options)`."""
        return json.loads(await self.text(), **options)

    async def blob(self) -> Blob:
        """Read the body as a Blob of the content type."""
        return Blob([await self.bytes()], content_type=self._content_type())

    async def form_data(self) -> FormData:
        """Read an urlencoded or multipart form. Raises TypeError for other content types."""
        content_type = self._content_type() or ""
        kind = content_type.split(";", 1)[0].strip().lower()
        data = await self.bytes()
        if kind == "application/x-www-form-urlencoded":
            form = FormData()
            for name, value in parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True):
                form.append(name, value)
            return form
        if kind == "multipart/form-data":
            return _multipart(content_type, data)
        raise TypeError(
            f"Unrecognized Content-Type header value {content_type!r}. FormData can only parse "
            "multipart/form-data and application/x-www-form-urlencoded."
        )

    def _content_of(self, given: Any) -> Content:
        """Return what user code gives as a body, and note its content type.

        Raises TypeError for what cannot be one.
        """
        if isinstance(given, str):
            self._default_type("text/plain;charset=UTF-8")
            return given.encode()
        if isinstance(given, self._buffers):
            return bytes(given)
        found = content_of_body(given)
        if found is not None:
            if found[1]:
                self._default_type(found[1])
            return found[0]  # type: ignore[no-any-return]
        if is_streamable(given):
            return streamed(given, self._whose)
        raise TypeError(f"Unsupported type in {self._whose}: {self._type_name(given)}")

    @staticmethod
    def _type_name(value: Any) -> str:
        return type(value).__name__

    def _content_type(self) -> str | None:
        return header(self._header_list(), "content-type")

    def _default_type(self, content_type: str) -> None:
        """Add a content type, unless the headers have one."""
        if self._content_type() is None:
            self._header_list().append(("content-type", content_type))

    def _header_list(self) -> HeaderList:
        raise NotImplementedError

    def _share(self) -> Any:
        """Return a second copy of the body for a clone. Raises OSError when it has been read."""
        if self.body_used:
            raise self._used_error(self._already_used)
        if isinstance(self._content, ReadableStream):
            self._content, second = self._content.tee()
            return second
        return self._content

    def _take(self) -> Any:
        """Hand the body over to someone who will read it."""
        if self.body_used:
            raise self._used_error(self._already_used)
        self._used = True
        return self._content


def content_of_body(body: Any) -> tuple[Any, str] | None:
    """Return a form or a body of JavaScript's, as bytes or a stream, and its type; else None."""
    body = python_of(body)
    if isinstance(body, FormData):
        return as_multipart(body)
    if isinstance(body, ReadableStream):
        return body, ""
    if is_named(body, "FormData"):
        return as_multipart(body._own)
    if is_named(body, "Blob", "File"):
        return body._own._data, body.type
    if is_named(body, "URLSearchParams"):
        return body.toString().encode(), "application/x-www-form-urlencoded;charset=UTF-8"
    if is_named(body, *_BUFFERS):
        return bytes_of(body), ""
    return None


def streamed(body: Any, kind: str) -> ReadableStream:
    """Return a body that is a stream or a generator; warns of a generator."""
    if isinstance(body, ReadableStream):
        return body
    deployed.warn(
        f"{kind}() takes a generator as its body here; deployed it raises TypeError: Unsupported "
        f"type in {kind}. There, a body is text, bytes, FormData or a stream of JavaScript's."
    )
    return ReadableStream(body)


def header(headers: HeaderList, name: str) -> str | None:
    """Return the first header called `name` (in lower case)."""
    return next((value for key, value in headers if key.lower() == name), None)


def _multipart(content_type: str, data: bytes) -> FormData:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + data)
    if not message.is_multipart():
        raise TypeError("the body is not the multipart form its Content-Type announces")
    form = FormData()
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise TypeError("a part of the multipart form has no name")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        filename = part.get_filename()
        if filename is None:
            form.append(name, content.decode("utf-8", "replace"))
        else:
            form.append(name, File([content], filename, content_type=part.get_content_type()))
    return form
