"""The parts of a multipart form, as several services take them.

`python-multipart`, the parser of Starlette, reads them. It is imported at the first form.
"""

from __future__ import annotations

import logging

from msgspec import Struct, field

from bindings.messages import shown

PARTS_MAX = 1_000  # as in Starlette's own forms
HEADERS_MAX = 20  # of one part
HEADER_MAX_BYTES = 8 * 1024
_STEP = 64 * 1024  # bytes that are read at a time


class Part(Struct):
    """One part; `filename` is None for a field, `content_type` "" when none is given."""

    name: str = ""
    filename: str | None = None
    content_type: str = ""
    content: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")


class NotAForm(ValueError):
    """The body is not a form, or has too many parts; the message says what is wrong."""


def read_form(body: bytes, content_type: str) -> list[Part]:
    """Return the parts of a form in their order. Raises NotAForm."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns, then raises the same
    try:
        kind, options = parse_options_header(content_type)
    except UnicodeEncodeError:
        kind, options = b"", {}
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise NotAForm(
            f"expected multipart/form-data with a boundary, and got {shown(content_type)}"
        )
    reader = _Reader()
    try:
        parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": reader.begin,
                "on_part_data": reader.data,
                "on_header_field": reader.header_name,
                "on_header_value": reader.header_value,
                "on_header_end": reader.end_header,
                "on_end": reader.end,
            },
            max_header_count=HEADERS_MAX,
            max_header_size=HEADER_MAX_BYTES,
        )
        for start in range(0, len(body), _STEP):
            parser.write(body[start : start + _STEP])
            if reader.is_over:
                return reader.parts
    except FormParserError as error:
        raise NotAForm(f"the form cannot be read: {error}") from None
    raise NotAForm("the form ends before its last boundary")


class _Reader:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.is_over = False
        self._header = (bytearray(), bytearray())

    def begin(self) -> None:
        if len(self.parts) >= PARTS_MAX:
            raise NotAForm(f"a form of more than {PARTS_MAX:,} parts")
        self.parts.append(Part())

    def data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].content += data[start:end]

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def end_header(self) -> None:
        from python_multipart.multipart import parse_options_header

        name, value = (bytes(part) for part in self._header)
        self._header = (bytearray(), bytearray())
        kind, options = parse_options_header(value)
        part = self.parts[-1]
        if name.lower() == b"content-disposition":
            part.name = options.get(b"name", b"").decode(errors="replace")
            named = options.get(b"filename")
            part.filename = None if named is None else named.decode(errors="replace")
        elif name.lower() == b"content-type":
            part.content_type = kind.decode(errors="replace")

    def end(self) -> None:
        self.is_over = True
